-- JSON as RFC 8785 spells it: the engine writes the control characters from \u000b to \u001f with capital digits. What
-- follows a backslash that stands for itself is no escape, so such pairs are put aside as a character that JSON text
-- cannot hold.
create or replace macro canonical(json_text) as
  if(
    contains(json_text, '\u00'),
    replace(
      replace(replace(replace(replace(replace(replace(replace(replace(replace(
        replace(json_text, '\\', chr(1)),
        '\u000B', '\u000b'), '\u000E', '\u000e'), '\u000F', '\u000f'), '\u001A', '\u001a'), '\u001B', '\u001b'),
        '\u001C', '\u001c'), '\u001D', '\u001d'), '\u001E', '\u001e'), '\u001F', '\u001f'),
      chr(1), '\\'
    ),
    json_text
  );
-- Hides what a leaf says from who sees its hash alone: nobody can try records until one fits. Twice, so that nobody who
-- knows the salt of one key can make that of another.
create or replace macro salt_of(blinding, kind, key) as
  sha256(blinding || unhex(sha256(blinding || encode(kind || chr(10) || key))))[1:32];

"""Commands that take their options as the runbooks print them: `--dry-run true`, and exit codes of their own."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from tieout.core.errors import EXIT_ERROR

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})
_USAGE = 2
"""What Typer ends with when it cannot read the command line."""


class AsPrinted(TyperCommand):
    """A command whose flags may be followed by true or false; a command line that cannot be read ends with 20."""

    usage_exit_code = EXIT_ERROR

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, self._plain(args))
        except Exception as error:
            if getattr(error, "exit_code", None) == _USAGE:
                error.exit_code = self.usage_exit_code  # type: ignore[attr-defined]
            raise

    def _plain(self, args: list[str]) -> list[str]:
        """Return the words with each flag that is followed by true or false as the flag that says so."""
        flags = {
            name: (next(iter(param.opts)), next(iter(param.secondary_opts), ""))
            for param in self.params
            if getattr(param, "is_flag", False) and param.name != "help"
            for name in param.opts
        }
        plain: list[str] = []
        rest = list(args)
        while rest:
            word = rest.pop(0)
            if word == "--":
                return [*plain, word, *rest]
            name, sign, value = word.partition("=")
            if name in flags and not sign and rest and rest[0].lower() in TRUE | FALSE:
                value = rest.pop(0)
            if name not in flags or value.lower() not in TRUE | FALSE:
                plain.append(word)
            elif chosen := flags[name][value.lower() in FALSE]:
                plain.append(chosen)
        return plain

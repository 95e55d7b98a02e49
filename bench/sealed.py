"""What all that seal are given: records made from their numbers, and a key that is none of anybody's."""

ORIGIN = "tieout.invalid/bench/log"
PRIVATE_KEY = bytes(range(32))


def records(count, length):
    """Records of `length` bytes, each another; those of the ads book have 200 and more."""
    rest = b"x" * (length - 12)
    return [b"%012d%b" % (number * 7919, rest) for number in range(count)]


def head_of(root):
    """The first 6 bytes of a root as a number, which a report can carry."""
    return int.from_bytes(root[:6], "big")

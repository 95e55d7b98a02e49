"""`python -m tieout` is the command line."""

from tieout.compose import main

main()

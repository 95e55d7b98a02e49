"""Rules of this repository that no linter knows, each with tests of its own under tests/checks."""

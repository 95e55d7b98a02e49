"""One module a noun; each has `routes`, a Section, and is listed in `tieout.api.app`."""

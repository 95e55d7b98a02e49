"""One module a noun; each has `routes`, an APIRouter, and is listed in `tieout.api.app`."""

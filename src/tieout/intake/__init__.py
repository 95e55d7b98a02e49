"""From a received file to typed rows: readers, layouts, quarantine, artifacts."""

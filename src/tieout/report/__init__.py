"""What a person sees of a run: the console summary, the page with pictures, and the files of `--out`."""

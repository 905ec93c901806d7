"""The benchmark: our models against other servers, all with one framing, in paired rounds."""

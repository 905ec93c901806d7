"""Where labs run: the contract (`base`), its three keepers, and the choice between them."""

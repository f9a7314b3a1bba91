"""Version 1 of the protocol. The modules are generated from the .proto files beside them."""

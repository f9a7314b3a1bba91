"""The nni protocol: protobuf messages, gRPC stubs, and the values and names they carry."""

"""The one process of ours on a machine that runs trials: `python -m nni.courier`.

It starts and stops trials and carries what they report to the manager, over its standard input and output
(proto/nni_proto/v1/courier.proto, one message a line in protobuf's JSON form). Standard library only.
"""

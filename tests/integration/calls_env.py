"""gRPC by grpcio with nothing but its environment: calls_env.py HOST:PORT PATH tls|clear
Says the status and the answer, or what it was told."""

import sys

import grpc

target, path, how = sys.argv[1:]
options = [("grpc.enable_retries", 0)]
channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), options) if how == "tls" else grpc.insecure_channel(target, options)
try:
    print(0, channel.unary_unary(path)(b"hello", timeout=300).decode())
except grpc.RpcError as e:
    print(e.code().value[0], e.details())

//! dex-api-grpc

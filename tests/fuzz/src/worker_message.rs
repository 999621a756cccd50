//! What a worker process and its host say to each other.

/// Reads the bytes as a stream of frames, once as the host reads a worker's and once as a worker
/// reads its host's.
///
/// Whatever the bytes promise, no more memory is taken than the protocol's limits allow.
pub(crate) fn run(input: &[u8]) {
    sdcpp::isolated::read_any_from_worker(input);
    sdcpp::isolated::read_any_from_host(input);
}

//! Connections: how many there are at once, and how long a client may take to say what it wants.

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
};
use tower_service::Service as _;

use crate::service::Service;

/// The address that a request came from: that of the last proxy, where there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// How long nothing is accepted where the system has no more connections to give.
const PAUSE: Duration = Duration::from_secs(1);

/// Listens where a service is to be served. Hundreds of clients may come at once: so many wait to be
/// accepted, and are not turned away.
///
/// # Errors
/// The address is in use, or may not be used.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Not on Windows, where it means that others may take the port over.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4096)
}

/// Serves until `stop` ends, and then until the connections that there are have had their answers.
///
/// At most as many connections as the options say are open; who comes then waits to be accepted. One whose
/// request's head takes longer than the read timeout, or that says nothing for as long, is closed.
pub async fn serve(
    listener: TcpListener,
    service: &Service,
    app: Router,
    stop: impl Future<Output = ()>,
) {
    let room = Arc::new(Semaphore::new(service.options().max_connections()));
    let connections = GracefulShutdown::new();
    let accepting = async {
        loop {
            // It is never closed.
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            let (stream, peer) = accept(&listener).await;
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(service.options().read_timeout());
            let app = app.clone();
            let answer = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(Peer(peer.ip().to_canonical()));
                // A router is always ready.
                app.clone().call(request.map(Body::new))
            });
            let connection = connections.watch(http.serve_connection(TokioIo::new(stream), answer));
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!("a connection ended: {error}");
                }
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    // Nobody is accepted any more.
    drop(listener);
    connections.shutdown().await;
}

/// The next client.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        let error = match listener.accept().await {
            Ok((stream, peer)) => {
                // Events are small, and are to arrive at once.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("{peer}: {error}");
                }
                return (stream, peer);
            }
            Err(error) => error,
        };
        // It was gone before it was accepted.
        if matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionRefused
        ) {
            continue;
        }
        tracing::error!("no connection can be accepted, so for {PAUSE:?} none is: {error}");
        tokio::time::sleep(PAUSE).await;
    }
}

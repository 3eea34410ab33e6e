//! Connections of a server: at most so many, and none that is silent for long or tells its headers drop by drop.
//!
//! `axum::serve` has neither bound. Above the limit the next ones wait in the kernel's queue until one is gone.

use axum::{Router, body::Body, extract::ConnectInfo, extract::Request, serve::Listener};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use std::{fmt, future::Future, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

/// Requests of one browser under way at once over HTTP/2.
const STREAMS: u32 = 64;

/// What can say who is at its other end; a request finds it as its `ConnectInfo`.
pub(crate) trait Known<A> {
    /// What is known of them.
    type Peer: Clone + fmt::Debug + Send + Sync + 'static;

    /// Who it is; the connection came from `address`.
    fn peer(&self, address: A) -> Self::Peer;

    /// Whether both ends have agreed on HTTP/2.
    fn speaks_h2(&self) -> bool {
        false
    }
}

/// How many connections there may be, and how long each may take for the headers of a request.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at once.
    pub connections: usize,
    /// From the end of the answer before to the end of the next request's headers: also how long an idle one is kept.
    pub headers: Duration,
}

/// Serves until `shutdown` is ready, and then until the requests in work are answered.
pub(crate) async fn serve<L>(
    mut listener: L,
    router: Router,
    bounds: Bounds,
    shutdown: impl Future<Output = ()>,
) where
    L: Listener,
    L::Io: Known<L::Addr>,
{
    let room = Arc::new(Semaphore::new(bounds.connections));
    let (stopping, stopped) = watch::channel(());
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepting = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, (stream, address)) = tokio::select! {
            accepted = accepting => accepted,
            () = &mut shutdown => break,
        };
        let (router, peer, stopped) = (router.clone(), stream.peer(address), stopped.clone());
        let http = if stream.speaks_h2() { Http::Two } else { Http::One };
        tokio::spawn(async move {
            converse((stream, http), router, peer, bounds.headers, stopped).await;
            drop(place);
        });
    }
    drop((listener, stopped));
    // Every connection holds a clone: to end itself, and to say that it has ended.
    let _ = stopping.send(());
    stopping.closed().await;
}

/// The version that both ends speak.
#[derive(Clone, Copy)]
enum Http {
    One,
    Two,
}

async fn converse<I, P>(
    (stream, http): (I, Http),
    router: Router,
    peer: P,
    headers: Duration,
    mut stopped: watch::Receiver<()>,
) where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    P: Clone + fmt::Debug + Send + Sync + 'static,
{
    let who = peer.clone();
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer.clone()));
        router.clone().oneshot(request)
    });
    let mut builder = match http {
        Http::One => Builder::new(TokioExecutor::new()).http1_only(),
        Http::Two => Builder::new(TokioExecutor::new()).http2_only(),
    };
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS).keep_alive_interval(headers);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(headers);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = ?who, %error, "a connection broke");
    }
}

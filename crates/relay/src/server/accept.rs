//! Accepting TCP connections.

use std::future::Future;
use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use super::Relay;
use crate::Peer;

/// Bytes that the kernel may hold unsent for one client. It takes a new one when fewer than half of
/// them are left. A long queue there would only hold what is out of date.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 << 10;

/// A peer that vanished without a word is probed after this long without traffic...
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// ... every so often ...
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// ... and given up after so many probes.
const KEEPALIVE_PROBES: u32 = 4;

/// Rest after `accept` failed for want of file descriptors or memory.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Accepts connections until `shutdown` completes, each served by a task of its own. Connections
/// that are open then stay open: see [`Relay::drain`].
///
/// # Errors
///
/// When the listener itself is broken. Running out of file descriptors is waited out.
///
/// # Cancel safety
///
/// Dropping the future stops accepting and touches no connection.
pub async fn serve(
    listener: TcpListener,
    relay: Relay,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, addr)) => {
                if let Err(error) = prepare(&stream) {
                    tracing::debug!(%addr, %error, "connection lost while it was set up");
                    continue;
                }
                let relay = relay.clone();
                let mut peer = Peer::new(addr);
                peer.local_addr = stream.local_addr().ok();
                tokio::spawn(async move {
                    match relay.attach(stream, peer).await {
                        Ok(reason) => tracing::debug!(%addr, %reason, "connection ended"),
                        Err(reason) => tracing::debug!(%addr, %reason, "connection refused"),
                    }
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for now; raise the limit of open files if this stays");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Without it the last event of a burst waits 40 ms for an acknowledgement.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    #[cfg(not(windows))]
    let keepalive = keepalive.with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        socket
            .set_tcp_user_timeout(Some(KEEPALIVE_IDLE + KEEPALIVE_INTERVAL * KEEPALIVE_PROBES))?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
    }
    Ok(())
}

/// Whether the failure concerns only the connection that was about to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

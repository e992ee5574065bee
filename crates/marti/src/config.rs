//! Settings of the API.

use std::path::PathBuf;
use std::time::Duration;

use store::packages::Precedence;

/// Settings of the API.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MartiConfig {
    /// The name that the server gives itself. Defaults to `TinyCoT`.
    pub server_name: String,
    /// Identity of this server in answers. Never empty. Defaults to `tinycot`.
    pub node_id: String,
    /// Begin of the URLs in answers, such as `http://tak.example.org:8080`, without a slash at the
    /// end. Defaults to what the client itself used: scheme and `Host` of its request. Browsers may
    /// ask for this server by this name.
    pub public_url: Option<String>,
    /// Port of the plain HTTP listener, for URLs that are made without a request. Defaults to 8080.
    pub http_port: u16,
    /// Origins of web pages that may use the API, such as `https://tools.example.org`; `*` for all.
    /// Defaults to none: pages of the server's own host, and programs that are no browsers.
    pub allowed_origins: Vec<String>,
    /// Largest upload, as clients are told. Bytes. Defaults to 400 MiB. The store has the last word.
    pub max_upload_bytes: u64,
    /// Largest body of a request that is no upload. Bytes. Defaults to 1 MiB.
    pub max_body_bytes: usize,
    /// File that video feeds are kept in. Defaults to none: they are forgotten at the end.
    pub feeds_file: Option<PathBuf>,
    /// Uploads at a time from one address. Defaults to 48.
    pub max_uploads_per_addr: usize,
    /// Streams of events at a time. Defaults to 64.
    pub max_streams: usize,
    /// Streams of events at a time to one address. Defaults to 16.
    pub max_streams_per_addr: usize,
    /// Connections at a time, for [`serve`](crate::serve). Defaults to 256.
    pub max_connections: usize,
    /// Connections at a time from one address, for [`serve`](crate::serve). Defaults to 192.
    pub max_connections_per_addr: usize,
    /// Time to send the head of a request, and the longest that an idle connection stays, for
    /// [`serve`](crate::serve). Defaults to 10 s.
    pub head_timeout: Duration,
    /// Time that a body may take beyond what its size takes at 1 KiB/s. Defaults to 10 s.
    pub body_patience: Duration,
    /// Time for which a peer may take nothing of an answer that waits for it, for
    /// [`serve`](crate::serve). Defaults to 30 s.
    pub reader_patience: Duration,
    /// Whose work goes before reading and writing, for [`serve`](crate::serve). Defaults to
    /// nobody's. The store has [one](store::packages::PackagesConfig::precedence), too.
    pub precedence: Precedence,
}

impl Default for MartiConfig {
    fn default() -> Self {
        Self {
            server_name: "TinyCoT".to_owned(),
            node_id: "tinycot".to_owned(),
            public_url: None,
            http_port: 8080,
            allowed_origins: Vec::new(),
            max_upload_bytes: 400 << 20,
            max_body_bytes: 1 << 20,
            feeds_file: None,
            max_uploads_per_addr: 48,
            max_streams: 64,
            max_streams_per_addr: 16,
            max_connections: 256,
            max_connections_per_addr: 192,
            head_timeout: Duration::from_secs(10),
            body_patience: Duration::from_secs(10),
            reader_patience: Duration::from_secs(30),
            precedence: Precedence::default(),
        }
    }
}

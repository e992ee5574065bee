//! What the head of a request may be.
//!
//! Two readers of a stream must never disagree where a request ends: then the second request of one
//! is the body of the other, and what looked harmless to a proxy is carried out by the server.
//! Everything that is read in more than one way somewhere is refused.

use http::{HeaderMap, StatusCode, header};

/// Bytes of a head.
const MAX_HEAD: usize = 16 << 10;

/// Bytes of the target of a request: what hyper's parser and clients' URLs agree on.
const MAX_TARGET: usize = 8 << 10;

/// Header lines.
pub(super) const MAX_LINES: usize = 64;

/// Longest name of a method.
const MAX_METHOD: usize = 20;

/// Digits of a length; more are no number of 64 bits.
const MAX_DIGITS: usize = 18;

/// How the body of a request is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Sized(u64),
    /// In chunks.
    Chunked,
    /// No body: the connection is to become a WebSocket.
    WebSocket,
}

/// What the bytes of a head so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Not all of it.
    Partial,
    /// A head of so many bytes, and what follows it.
    Whole(usize, Framing),
    /// What is refused.
    Refused(Refusal),
}

macro_rules! refusals {
    ($($(#[$meta:meta])* $name:ident $status:ident $text:literal;)+) => {
        /// Why a head is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Refusal { $($(#[$meta])* $name,)+ }

        impl Refusal {
            const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its status.
            pub(super) fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// What is wrong, for the client.
            pub(super) fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

refusals! {
    /// Both a length and an encoding.
    Both BAD_REQUEST "a body has a length or is chunked, not both";
    /// A control character in a line.
    Control BAD_REQUEST "there is a control character in the head";
    /// Some other transfer encoding than `chunked`.
    Encoding BAD_REQUEST "the transfer encoding must be `chunked`, once, and HTTP/1.1";
    /// A line that continues the one before.
    Folded BAD_REQUEST "a header line is folded";
    /// No host, or several.
    Host BAD_REQUEST "there must be one Host header, which agrees with the target";
    /// Lengths that are no number, or several.
    Length BAD_REQUEST "the content length must be one number";
    /// Not `CR LF` at the end of a line.
    LineEnd BAD_REQUEST "lines must end in CR LF";
    /// The name of a header.
    Name BAD_REQUEST "a header has no proper name";
    /// Not a request.
    NotHttp BAD_REQUEST "this is no HTTP/1.1 request";
    /// The target of the request.
    Target BAD_REQUEST "the target is no path and no http URL";
    /// A target that is too long.
    TargetTooLong URI_TOO_LONG "the target is longer than 8 KiB";
    /// Too many bytes.
    TooLarge REQUEST_HEADER_FIELDS_TOO_LARGE "the head is larger than 16 KiB";
    /// Too many lines.
    TooManyLines REQUEST_HEADER_FIELDS_TOO_LARGE "there are more than 64 header lines";
    /// A body before a change of protocol.
    UpgradeWithBody BAD_REQUEST "a request for a WebSocket has no body and is HTTP/1.1 GET";
    /// Another version of the protocol.
    Version HTTP_VERSION_NOT_SUPPORTED "only HTTP/1.1 and HTTP/1.0 are spoken here";
}

/// The method of what stands for a refused head; no peer can use it.
const REFUSED: &str = "REFUSED";

impl Refusal {
    /// A request that stands for the refused head, for the HTTP library to answer in its turn.
    pub(super) fn to_request(self) -> Vec<u8> {
        let text = format!(
            "{REFUSED} /{} HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n",
            self as usize
        );
        text.into_bytes()
    }

    /// The refusal that a request stands for.
    pub(super) fn of(method: &http::Method, path: &str) -> Option<Self> {
        if method.as_str() != REFUSED {
            return None;
        }
        let number = path.strip_prefix('/').and_then(|number| number.parse::<usize>().ok());
        Some(number.and_then(|at| Self::ALL.get(at)).copied().unwrap_or(Self::NotHttp))
    }
}

/// Looks at the bytes from the start of a head on. `looked` is how many of them were looked at
/// before: zero for a new head.
pub(super) fn look(bytes: &[u8], looked: &mut usize) -> Look {
    for at in *looked..bytes.len() {
        let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
        let is_after_cr = at > 0 && byte(at - 1) == b'\r';
        match byte(at) {
            _ if at == 0 && !byte(0).is_ascii_uppercase() => {
                return Look::Refused(Refusal::NotHttp);
            }
            b'\n' if is_after_cr => {
                if bytes.get(..=at).is_some_and(|head| head.ends_with(b"\r\n\r\n")) {
                    *looked = 0;
                    return of_whole(bytes.get(..at - 3).unwrap_or_default(), at + 1);
                }
            }
            b'\n' => return Look::Refused(Refusal::LineEnd),
            _ if is_after_cr => return Look::Refused(Refusal::LineEnd),
            b'\r' | b'\t' | b' '..=b'~' | 0x80.. => {}
            _ => return Look::Refused(Refusal::Control),
        }
        if at + 1 >= MAX_HEAD {
            return Look::Refused(too_large(bytes));
        }
    }
    *looked = bytes.len();
    Look::Partial
}

/// Which part of a head is too large.
fn too_large(bytes: &[u8]) -> Refusal {
    let first = bytes.get(..MAX_TARGET).unwrap_or(bytes);
    if first.contains(&b'\r') { Refusal::TooLarge } else { Refusal::TargetTooLong }
}

/// Judges a whole head, given without the empty line at its end; with that it has `len` bytes.
fn of_whole(head: &[u8], len: usize) -> Look {
    match judge(head) {
        Ok(framing) => Look::Whole(len, framing),
        Err(refusal) => Look::Refused(refusal),
    }
}

fn judge(head: &[u8]) -> Result<Framing, Refusal> {
    let mut lines =
        head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let request = RequestLine::read(lines.next().unwrap_or_default())?;
    let mut found = Found::default();
    let mut count = 0;
    for line in lines {
        count += 1;
        if count > MAX_LINES {
            return Err(Refusal::TooManyLines);
        }
        found.take(line)?;
    }
    request.check_host(found.host)?;
    found.framing(&request)
}

struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
    is_1_1: bool,
}

impl<'a> RequestLine<'a> {
    fn read(line: &'a [u8]) -> Result<Self, Refusal> {
        let mut parts = line.split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::NotHttp);
        };
        let is_letter = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'-';
        if method.len() > MAX_METHOD || !method.iter().all(is_letter) || method == b"REFUSED" {
            return Err(Refusal::NotHttp);
        }
        let is_1_1 = match version {
            b"HTTP/1.1" => true,
            b"HTTP/1.0" => false,
            version if version.starts_with(b"HTTP/") => return Err(Refusal::Version),
            _ => return Err(Refusal::NotHttp),
        };
        if target.len() > MAX_TARGET {
            return Err(Refusal::TargetTooLong);
        }
        // A browser keeps what is behind `#` for itself.
        let is_plain = |byte: &u8| !matches!(byte, b'\t' | b'#');
        let is_known = target.starts_with(b"/")
            || authority(target).is_some()
            || (target == b"*" && method == b"OPTIONS");
        if !is_known || !target.iter().all(is_plain) {
            return Err(Refusal::Target);
        }
        Ok(Self { method, target, is_1_1 })
    }

    /// A target that names a host names the same one as the header.
    fn check_host(&self, host: Option<&[u8]>) -> Result<(), Refusal> {
        let fits = match (host, authority(self.target)) {
            (None, named) => !self.is_1_1 && named.is_none(),
            (Some(_), None) => true,
            (Some(host), Some(named)) => host.eq_ignore_ascii_case(named),
        };
        if fits { Ok(()) } else { Err(Refusal::Host) }
    }
}

/// The host in a target that is a whole URL.
fn authority(target: &[u8]) -> Option<&[u8]> {
    let rest = [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })?;
    rest.split(|byte| matches!(byte, b'/' | b'?')).next()
}

/// What the header lines say that matters here.
#[derive(Default)]
struct Found<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    is_chunked: bool,
    is_web_socket: bool,
}

impl<'a> Found<'a> {
    fn take(&mut self, line: &'a [u8]) -> Result<(), Refusal> {
        if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(Refusal::Folded);
        }
        let colon = line.iter().position(|&byte| byte == b':').ok_or(Refusal::Name)?;
        let (name, value) = line.split_at(colon);
        if name.is_empty() || !name.iter().all(is_token) {
            return Err(Refusal::Name);
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"host") {
            if self.host.replace(value).is_some() {
                return Err(Refusal::Host);
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value).ok_or(Refusal::Length)?;
            if self.length.replace(length).is_some() {
                return Err(Refusal::Length);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal::Encoding);
            }
            self.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.is_web_socket |= names_web_socket(value);
        }
        Ok(())
    }

    fn framing(&self, request: &RequestLine<'_>) -> Result<Framing, Refusal> {
        if self.is_chunked && !request.is_1_1 {
            return Err(Refusal::Encoding);
        }
        if self.is_chunked && self.length.is_some() {
            return Err(Refusal::Both);
        }
        let length = self.length.unwrap_or_default();
        if self.is_web_socket {
            let is_bare = request.is_1_1 && !self.is_chunked && length == 0;
            let is_fit = is_bare && request.method == b"GET";
            return if is_fit { Ok(Framing::WebSocket) } else { Err(Refusal::UpgradeWithBody) };
        }
        Ok(if self.is_chunked { Framing::Chunked } else { Framing::Sized(length) })
    }
}

/// Whether the library's headers name a WebSocket as [`look`] reads them.
pub(super) fn is_web_socket(headers: &HeaderMap) -> bool {
    headers.get_all(header::UPGRADE).iter().any(|value| names_web_socket(value.as_bytes()))
}

fn names_web_socket(value: &[u8]) -> bool {
    let mut named = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    named.any(|one| one.eq_ignore_ascii_case(b"websocket"))
}

/// A length: digits, and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.len() <= MAX_DIGITS;
    let digits = text.iter().map(|byte| byte.is_ascii_digit().then(|| u64::from(byte - b'0')));
    digits.fold(is_number.then_some(0), |sum, digit| Some(sum? * 10 + digit?))
}

/// Whether names of headers may have this byte.
fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Look {
        look(text.as_bytes(), &mut 0)
    }

    #[test]
    fn a_head_is_the_same_however_it_is_split() {
        let text = "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nGET / HTTP/1.1";
        let whole = seen(text);
        assert_eq!(whole, Look::Whole(text.find("GET").unwrap(), Framing::Sized(12)));
        let mut looked = 0;
        for end in 1..text.len() {
            let partial = look(&text.as_bytes()[..end], &mut looked);
            if partial != Look::Partial {
                assert_eq!((end, partial), (text.find("GET").unwrap(), whole));
                break;
            }
        }
    }

    #[test]
    fn what_clients_send_is_read() {
        let framing = |text: &str| match seen(text) {
            Look::Whole(len, framing) if len == text.len() => framing,
            other => panic!("{text:?}: {other:?}"),
        };
        for text in [
            "GET / HTTP/1.1\r\nhost:x\r\n\r\n",
            "GET http://x:8080/a HTTP/1.1\r\nHost: X:8080\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
            "GET /Marti/api/version HTTP/1.0\r\n\r\n",
            "GET /%20?a=b%C3%A4\u{e4} HTTP/1.1\r\nHost: x\r\nX-Note: a\tb \u{e4}\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        ] {
            assert_eq!(framing(text), Framing::Sized(0));
        }
        let text = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:  Chunked \r\n\r\n";
        assert_eq!(framing(text), Framing::Chunked);
        let text = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\n\r\n";
        assert_eq!(framing(text), Framing::WebSocket);
    }

    #[test]
    fn a_refusal_goes_through_the_library_and_back() {
        for &refusal in Refusal::ALL {
            let text = String::from_utf8(refusal.to_request()).unwrap();
            let path = text.split(' ').nth(1).unwrap();
            let method = http::Method::from_bytes(b"REFUSED").unwrap();
            assert_eq!(Refusal::of(&method, path), Some(refusal));
            assert_eq!(Refusal::of(&http::Method::GET, path), None);
            // Nobody else can say the same.
            assert_eq!(seen(&text), Look::Refused(Refusal::NotHttp));
            assert!(!refusal.text().is_empty() && !refusal.status().is_success());
        }
    }

    #[test]
    fn a_head_has_a_size() {
        let lines =
            |count| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert!(matches!(seen(&lines(63)), Look::Whole(..)));
        assert_eq!(seen(&lines(64)), Look::Refused(Refusal::TooManyLines));
        let long = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "b".repeat(MAX_HEAD));
        assert_eq!(seen(&long), Look::Refused(Refusal::TooLarge));
        let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "b".repeat(MAX_TARGET));
        assert_eq!(seen(&long), Look::Refused(Refusal::TargetTooLong));
    }

    /// What many heads of odd parts are does not depend on how they are cut, and what is taken for
    /// a head has nothing in it that others could take for the end of a line or of the head.
    #[test]
    fn odd_parts_make_no_odd_heads() {
        const PARTS: [&str; 24] = [
            "GET ",
            "POST ",
            "/",
            "/a",
            " ",
            " HTTP/1.1",
            " HTTP/1.0",
            "\r\n",
            "\r\n",
            "\r\n",
            "\n",
            "\r",
            "Host: x",
            "Host:y",
            "Content-Length: 5",
            "Content-Length:0",
            ",",
            "Transfer-Encoding: chunked",
            "\t",
            "A: b",
            ":",
            "\0",
            "Upgrade: websocket",
            "http://x",
        ];
        const START: &str = "POST / HTTP/1.1\r\n";
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        let mut taken = 0;
        for round in 0..40_000 {
            let mut text = if round % 2 == 0 { START.to_owned() } else { String::new() };
            for _ in 0..random(12) {
                text += PARTS[random(PARTS.len())];
                if random(3) > 0 {
                    text += "\r\n";
                }
            }
            text += "\r\n\r\n";
            let whole = seen(&text);
            let mut looked = 0;
            let in_bytes = (1..=text.len())
                .map(|end| look(&text.as_bytes()[..end], &mut looked))
                .find(|look| *look != Look::Partial);
            assert_eq!(in_bytes.unwrap_or(Look::Partial), whole, "{text:?}");
            let Look::Whole(len, framing) = whole else { continue };
            taken += 1;
            let head = &text[..len];
            let bare = head.replace("\r\n", "");
            assert!(!bare.contains(['\r', '\n', '\0']), "{head:?}");
            assert_eq!(head.find("\r\n\r\n"), Some(len - 4), "{head:?}");
            let count = |name: &str| head.matches(&format!("\r\n{name}:")).count();
            assert!(count("Host") <= 1 && count("Content-Length") <= 1, "{head:?}");
            let is_chunked = count("Transfer-Encoding") == 1;
            assert!(!is_chunked || count("Content-Length") == 0, "{head:?}");
            assert_eq!(is_chunked, framing == Framing::Chunked, "{head:?}");
        }
        assert!(taken > 200, "{taken}");
    }
}

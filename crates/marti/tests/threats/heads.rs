//! T24: a request ends where everybody sees it end, or it is refused.

use super::*;

/// A request with a body of which the rest is given: header lines, the empty line, the body.
fn post(rest: &str) -> Vec<u8> {
    format!("POST /api/events HTTP/1.1\r\nHost: x\r\n{rest}").into_bytes()
}

/// A chunked request with these bytes as its body.
fn chunked(body: &str) -> Vec<u8> {
    post(&format!("Transfer-Encoding: chunked\r\n\r\n{body}"))
}

/// A request without a body, with this first line and these header lines.
fn get(line: &str, headers: &str) -> Vec<u8> {
    format!("{line}\r\n{headers}\r\n").into_bytes()
}

/// Requests that are refused, with the status of the only answer. What follows the name goes over
/// the socket, and behind it an honest request that must not be answered.
fn refused() -> Vec<(&'static str, u16, Vec<u8>)> {
    let te = |value: &str| {
        post(&format!("Content-Length: 6\r\nTransfer-Encoding: {value}\r\n\r\n0\r\n\r\n{HIDDEN}"))
    };
    let only_te =
        |value: &str| post(&format!("Transfer-Encoding: {value}\r\n\r\n0\r\n\r\n{HIDDEN}"));
    let length = |value: &str| post(&format!("Content-Length: {value}\r\n\r\nhello{HIDDEN}"));
    let lines = |lines: &str| post(&format!("{lines}\r\n\r\n0\r\n\r\n{HIDDEN}"));
    let line = |line: &str| get(line, "Host: x\r\n");
    let with = |headers: &str| get("GET /Marti/api/version HTTP/1.1", headers);
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    vec![
        // A length and an encoding
        ("length, then encoding", 400, te("chunked")),
        ("encoding, then length", 400, lines("Transfer-Encoding: chunked\r\nContent-Length: 6")),
        ("length and odd encoding", 400, te("xchunked")),
        ("length and identity", 400, te("identity")),
        // Encodings that are read in more than one way
        ("encoding twice", 400, lines("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
        (
            "encoding and its cow",
            400,
            lines("Transfer-Encoding: chunked\r\nTransfer-encoding: cow"),
        ),
        ("encodings in a list", 400, only_te("chunked, chunked")),
        ("gzip and chunked", 400, only_te("gzip, chunked")),
        ("chunked, then identity", 400, only_te("chunked, identity")),
        ("identity", 400, only_te("identity")),
        ("empty encoding", 400, only_te("")),
        ("encoding with a parameter", 400, only_te("chunked;q=1")),
        ("encoding in quotes", 400, only_te("\"chunked\"")),
        ("encoding with a comma", 400, only_te("chunked,")),
        ("vertical tab before the encoding", 400, only_te("\u{b}chunked")),
        ("NUL behind the encoding", 400, only_te("chunked\0")),
        ("no-break space before the encoding", 400, only_te("\u{a0}chunked")),
        ("space before the colon", 400, lines("Transfer-Encoding : chunked")),
        ("tab before the colon", 400, lines("Transfer-Encoding\t: chunked")),
        ("space before the length's colon", 400, post("Content-Length : 5\r\n\r\nhello")),
        ("space before the name", 400, lines(" Transfer-Encoding: chunked")),
        ("folded encoding", 400, lines("Transfer-Encoding:\r\n chunked")),
        ("folded behind the encoding", 400, lines("Transfer-Encoding: chunked\r\n\t, identity")),
        ("LF alone ends a line", 400, lines("A: b\nTransfer-Encoding: chunked")),
        ("CR alone ends a line", 400, lines("A: b\rTransfer-Encoding: chunked")),
        ("LF alone ends the head", 400, post("Content-Length: 5\n\nhello")),
        ("LF and CR LF end the head", 400, post("Content-Length: 5\n\r\nhello")),
        ("CR CR LF ends a line", 400, lines("A: b\r\r\nTransfer-Encoding: chunked")),
        ("a name that is no token", 400, lines("Transfer-Encoding\u{e9}: chunked")),
        ("encoding in HTTP/1.0", 400, {
            let head = "POST /api/events HTTP/1.0\r\nHost: x\r\nConnection: keep-alive";
            format!("{head}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}").into_bytes()
        }),
        // Lengths that are read in more than one way
        ("two lengths", 400, length("5\r\nContent-Length: 0")),
        ("two equal lengths", 400, length("5\r\ncontent-length: 5")),
        ("a list of lengths", 400, length("5, 5")),
        ("a list of different lengths", 400, length("5, 0")),
        ("a length with a plus", 400, length("+5")),
        ("a length below zero", 400, length("-5")),
        ("a hexadecimal length", 400, length("0x5")),
        ("a length with a space", 400, length("5 5")),
        ("an empty length", 400, length("")),
        ("a length with a point", 400, length("5.0")),
        ("a length with an exponent", 400, length("1e1")),
        ("a length that overflows to 5", 400, length("18446744073709551621")),
        ("a length of 100 digits", 400, length(&"9".repeat(100))),
        ("a length with NUL", 400, length("5\0")),
        ("a length in other digits", 400, length("\u{665}")),
        ("a length with an underscore", 400, length("1_0")),
        ("more than anybody takes", 413, length("999999999999999999")),
        // Chunks that are read in more than one way
        ("a chunk size with a plus", 400, chunked(&format!("+0\r\n\r\n{HIDDEN}"))),
        ("a chunk size below zero", 400, chunked(&format!("-1\r\n\r\n{HIDDEN}"))),
        ("a chunk size with 0x", 400, chunked(&format!("0x0\r\n\r\n{HIDDEN}"))),
        ("no chunk size", 400, chunked(&format!("\r\n\r\n{HIDDEN}"))),
        ("a chunk size of words", 400, chunked(&format!("zero\r\n\r\n{HIDDEN}"))),
        ("a space before the chunk size", 400, chunked(&format!(" 0\r\n\r\n{HIDDEN}"))),
        ("a chunk size that overflows", 400, chunked(&format!("1{:016}\r\n\r\n{HIDDEN}", 0))),
        ("a space behind the chunk size", 400, chunked(&format!("0 \r\n\r\n{HIDDEN}"))),
        ("a tab behind the chunk size", 400, chunked(&format!("0\t\r\n\r\n{HIDDEN}"))),
        ("two chunk sizes", 400, chunked(&format!("0 0\r\n\r\n{HIDDEN}"))),
        ("LF alone behind a chunk size", 400, chunked(&format!("0\n\r\n{HIDDEN}"))),
        ("CR alone behind a chunk size", 400, chunked(&format!("0\r\r\n{HIDDEN}"))),
        ("LF in an extension", 400, chunked(&format!("1;a\nb\r\nx\r\n0\r\n\r\n{HIDDEN}"))),
        ("NUL in an extension", 400, chunked(&format!("1;\0\r\nx\r\n0\r\n\r\n{HIDDEN}"))),
        ("extensions without an end", 400, chunked(&format!("1;{}", "a".repeat(20 << 10)))),
        ("a chunk longer than its size", 400, chunked(&format!("1\r\nxy\r\n0\r\n\r\n{HIDDEN}"))),
        ("LF alone behind a chunk", 400, chunked(&format!("1\r\nx\n0\r\n\r\n{HIDDEN}"))),
        ("LF alone at the end of chunks", 400, chunked(&format!("0\r\n\n{HIDDEN}"))),
        ("LF alone behind a trailer", 400, chunked(&format!("0\r\nA: b\n\r\n{HIDDEN}"))),
        ("a folded trailer", 400, chunked(&format!("0\r\nA: b\r\n c\r\n\r\n{HIDDEN}"))),
        ("trailers without an end", 400, chunked(&format!("0\r\n{}", "A: b\r\n".repeat(4000)))),
        // Whom it is for
        ("no host", 400, with("")),
        ("two hosts", 400, with("Host: x\r\nHost: y\r\n")),
        ("the same host twice", 400, with("Host: x\r\nHost: x\r\n")),
        ("another host in the target", 400, line("GET http://y/Marti/api/version HTTP/1.1")),
        ("a user in the target", 400, line("GET http://x@y/Marti/api/version HTTP/1.1")),
        ("another port in the target", 400, line("GET http://x:81/Marti/api/version HTTP/1.1")),
        ("another scheme", 400, line("GET file:///Marti/api/version HTTP/1.1")),
        // What is no request
        ("the preface of HTTP/2", 505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("TLS", 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("CoT", 400, b"<event version='2.0' uid='A' type='a-f-G'/>".to_vec()),
        ("nothing but NUL", 400, vec![0; 64]),
        ("HTTP/0.9", 400, b"GET /Marti/api/version\r\n".to_vec()),
        ("HTTP/1.2", 505, line("GET /Marti/api/version HTTP/1.2")),
        ("HTTP/2.0", 505, line("GET /Marti/api/version HTTP/2.0")),
        ("http in small letters", 400, line("GET /Marti/api/version http/1.1")),
        ("a method in small letters", 400, line("get /Marti/api/version HTTP/1.1")),
        ("a method of mixed letters", 400, line("GeT /Marti/api/version HTTP/1.1")),
        ("a method with a sign", 400, line("G?T /Marti/api/version HTTP/1.1")),
        ("a method as long as a sentence", 400, line(&format!("{} / HTTP/1.1", "A".repeat(99)))),
        ("the word of the guard", 400, line("REFUSED /0 HTTP/1.1")),
        ("a tunnel", 400, line("CONNECT x:80 HTTP/1.1")),
        ("a target without a slash", 400, line("GET Marti/api/version HTTP/1.1")),
        ("an asterisk", 400, line("GET * HTTP/1.1")),
        ("a space in the target", 400, line("GET /Marti/api/version /x HTTP/1.1")),
        ("two spaces", 400, line("GET  /Marti/api/version HTTP/1.1")),
        ("a tab for a space", 400, line("GET\t/Marti/api/version HTTP/1.1")),
        ("a space at the end", 400, line("GET /Marti/api/version HTTP/1.1 ")),
        ("a space at the start", 400, line(" GET /Marti/api/version HTTP/1.1")),
        ("a control character in the target", 400, line("GET /Marti/\u{1} HTTP/1.1")),
        ("DEL in the target", 400, line("GET /Marti/\u{7f} HTTP/1.1")),
        ("a fragment", 400, line("GET /Marti/api/version#a HTTP/1.1")),
        ("NUL in a header", 400, with("Host: x\r\nA: \0\r\n")),
        ("ESC in a header", 400, with("Host: x\r\nA: \u{1b}[2J\r\n")),
        ("a line without a colon", 400, with("Host: x\r\nA\r\n")),
        ("a line without a name", 400, with("Host: x\r\n: a\r\n")),
        ("LF before the request", 400, [b"\n", SECOND.as_bytes()].concat()),
        ("many empty lines before it", 400, [b"\r\n\r\n\r\n", SECOND.as_bytes()].concat()),
        // Too much
        ("65 header lines", 431, with(&format!("Host: x\r\n{}", "A: b\r\n".repeat(64)))),
        ("a head of 16 KiB", 431, with(&format!("Host: x\r\nA: {}\r\n", "b".repeat(16 << 10)))),
        ("a target of 8 KiB", 414, line(&format!("GET /{} HTTP/1.1", "b".repeat(8 << 10)))),
        ("a head without an end", 431, with(&format!("Host: x\r\nA: {}", "b".repeat(64 << 10)))),
        // Another protocol, and a body before it
        ("a WebSocket with a body", 400, post(&format!("{upgrade}Content-Length: 5\r\n\r\nhello"))),
        ("a WebSocket with chunks", 400, {
            post(&format!("{upgrade}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
        }),
        ("a WebSocket by POST", 400, post(&format!("{upgrade}\r\n"))),
        ("a WebSocket that comes to nothing", 426, {
            get("GET /api/events/ws HTTP/1.1", &format!("Host: x\r\n{upgrade}"))
        }),
        ("a WebSocket elsewhere", 200, with(&format!("Host: x\r\n{upgrade}"))),
    ]
}

/// Requests that are read in the only way there is, and the statuses of their answers; that of the
/// honest request behind them is the last.
fn handled() -> Vec<(&'static str, Vec<u16>, Vec<u8>)> {
    let sized = |headers: &str, body: &str| {
        post(&format!("{headers}Content-Length: {}\r\n\r\n{body}", body.len()))
    };
    let hidden = format!("{:x}\r\n{HIDDEN}\r\n", HIDDEN.len());
    let version = |line: &str, headers: &str| get(line, headers);
    vec![
        ("a request as a body", vec![422, 200], sized("", HIDDEN)),
        ("a request as a chunk", vec![422, 200], chunked(&format!("{hidden}0\r\n\r\n"))),
        ("blanks around the encoding", vec![422, 200], {
            post(&format!("tRANSFER-encoding: \t CHUNKED \t\r\n\r\n{hidden}0\r\n\r\n"))
        }),
        ("a request in an extension", vec![422, 200], {
            chunked("1 ; a=\"GET / HTTP/1.1\"\r\nx\r\n0;b\r\n\r\n")
        }),
        ("lengths as trailers", vec![422, 200], {
            chunked("1\r\nx\r\n0\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n")
        }),
        ("a size with zeros before it", vec![422, 200], chunked("0001\r\nx\r\n00\r\n\r\n")),
        (
            "an underscore for a hyphen",
            vec![422, 200],
            sized("Transfer_Encoding: chunked\r\n", "x"),
        ),
        (
            "the encoding as a hop's",
            vec![422, 200],
            sized("Connection: transfer-encoding\r\n", "x"),
        ),
        ("HTTP/2 on offer", vec![422, 200], {
            sized("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n", HIDDEN)
        }),
        ("nothing as a body", vec![400, 200], sized("", "")),
        ("one after the other", vec![200, 200], {
            version("GET /Marti/api/version HTTP/1.1", "Host: x\r\n")
        }),
        ("the whole URL", vec![200, 200], {
            version("GET http://X/Marti/api/version HTTP/1.1", "Host: x\r\n")
        }),
        ("an empty line before it", vec![200, 200], {
            version("\r\nGET /Marti/api/version HTTP/1.1", "Host: x\r\n")
        }),
        ("line ends in the target, encoded", vec![404, 200], {
            version("GET /a%0d%0aHost:%20y%0d%0a%0d%0aGET%20/ HTTP/1.1", "Host: x\r\n")
        }),
        ("a host that is a list", vec![400, 200], {
            version("GET /Marti/api/version HTTP/1.1", "Host: x, y\r\n")
        }),
        ("a host with a user", vec![400, 200], {
            version("GET /Marti/api/version HTTP/1.1", "Host: a@x\r\n")
        }),
        ("a method that nobody knows", vec![405, 200], {
            version("BREW /Marti/api/version HTTP/1.1", "Host: x\r\n")
        }),
        ("HTTP/1.0, and no more", vec![200], {
            version("GET /Marti/api/version HTTP/1.0", "Host: x\r\n")
        }),
    ]
}

#[test]
fn t24_what_could_be_read_in_two_ways_is_refused() {
    let server = server();
    let cases = refused();
    assert!(cases.len() >= 100);
    let count = cases.len();
    let mut wrong = Vec::new();
    for (name, status, bytes) in cases {
        let bytes = [&bytes, SECOND.as_bytes()].concat();
        let reply = talk(&server, &bytes);
        // A mark would mean that the hidden request was carried out.
        if reply.statuses != [status] || reply.marks > 0 {
            wrong.push(format!("{name}: {status} was expected of {reply:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    let stats = server.marti.stats();
    assert!(stats.heads_refused >= 80 && stats.bodies_refused >= 15, "{stats:?}");
    assert_eq!(stats.panics, 0);
}

#[test]
fn t24_what_can_be_read_in_one_way_is_read_so() {
    let server = server();
    for (name, statuses, bytes) in handled() {
        let marks = usize::from(statuses.len() > 1);
        let bytes = [&bytes, SECOND.as_bytes()].concat();
        let reply = talk(&server, &bytes);
        assert_eq!(reply.statuses, statuses, "{name}");
        assert_eq!(reply.marks, marks, "{name}");
    }
}

/// The same in pieces: what a read happens to bring together decides nothing.
#[test]
fn t24_how_it_is_cut_does_not_matter() {
    let server = server();
    let cases = refused().into_iter().map(|(name, status, bytes)| (name, vec![status], bytes));
    let is_short = |(_, _, bytes): &(_, _, Vec<u8>)| bytes.len() < 300;
    let cases: Vec<_> = handled().into_iter().chain(cases.step_by(4)).filter(is_short).collect();
    std::thread::scope(|scope| {
        for (name, statuses, bytes) in cases {
            let server = &server;
            scope.spawn(move || {
                let mut socket = TcpStream::connect(server.http).unwrap();
                socket.set_nodelay(true).unwrap();
                socket.set_read_timeout(Some(support::PATIENCE)).unwrap();
                for piece in [&bytes, SECOND.as_bytes()].concat().chunks(11) {
                    if socket.write_all(piece).is_err() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
                let reply = Reply::of(&read_to_end(&mut socket));
                assert_eq!(reply.statuses, statuses, "{name}");
                let marks = usize::from(statuses.len() > 1);
                assert_eq!(reply.marks, marks, "{name}");
            });
        }
    });
}

//! What holds for every request: 4 to 10 of the checklist.

use crate::support::Server;

/// 6: clients double slashes and end with one.
#[test]
fn k06_doubled_and_trailing_slashes_are_forgiven() {
    let server = Server::open();
    for path in ["/Marti/api/version", "//Marti/api/version", "/Marti//api/version/"] {
        let answer = server.get(path).expect(200);
        assert!(answer.text().contains("TAK Server"), "{}", answer.text());
    }
}

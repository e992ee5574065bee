//! Finds the end of a comment, a CDATA section or an instruction.

use memchr::memchr_iter;

/// The offset of the first `close`, which ends in `>`.
///
/// Most of what is looked through is short, so a search that has to be prepared does not pay.
pub(crate) fn find_close(bytes: &[u8], close: &[u8]) -> Option<usize> {
    let mut ends = memchr_iter(b'>', bytes).map(|at| at + 1);
    let end = ends.find(|&end| bytes.get(..end).is_some_and(|head| head.ends_with(close)))?;
    Some(end - close.len())
}

#[cfg(test)]
mod tests {
    use super::find_close;

    #[test]
    fn finds_the_first() {
        assert_eq!(find_close(b"a -> b --> c -->", b"-->"), Some(7));
        assert_eq!(find_close(b"-->", b"-->"), Some(0));
        assert_eq!(find_close(b"]>]]]>", b"]]>"), Some(3));
        assert_eq!(find_close(b">->", b"-->"), None);
        assert_eq!(find_close(b"", b"?>"), None);
    }
}

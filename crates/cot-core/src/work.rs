//! Counts the bytes that the wire layer looks at, in unit tests only: the proof that hostile
//! input cannot buy more work than it has bytes.

#[cfg(test)]
thread_local! {
    static LOOKED_AT: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

/// Notes that this many bytes were looked at or copied. Does nothing outside of tests.
#[inline(always)]
pub(crate) fn looked_at(bytes: usize) {
    #[cfg(test)]
    LOOKED_AT.with(|sum| sum.set(sum.get() + bytes));
    #[cfg(not(test))]
    let _ = bytes;
}

/// What has been noted on this thread since the last call.
#[cfg(test)]
pub(crate) fn take() -> usize {
    LOOKED_AT.with(|sum| sum.replace(0))
}

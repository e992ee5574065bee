//! A lean load generator for any server that speaks Cursor-on-Target over plain TCP.

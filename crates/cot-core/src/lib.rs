//! Cursor-on-Target for servers and tools: framing, validation, a routing header, and a typed model.


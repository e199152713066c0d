//! Black-box tests of the server.

mod crash;
mod oracle;

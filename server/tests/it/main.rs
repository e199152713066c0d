//! Black-box tests of the server, in one binary because each one links the whole engine.

mod http;

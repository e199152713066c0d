//! Objects, on every kind of store, and what becomes of the engine when a store fails.

mod engine_on_a_store;
mod objects;
mod outages;

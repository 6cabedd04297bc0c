pub mod cbor;

//! JSON schemas of the types whose JSON form is written by hand.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::family::Family;
use crate::socket_address::SocketAddress;
use crate::unit::name::UnitName;
use crate::unit::time_span::TimeSpan;

/// Gives types a schema and a description.
macro_rules! schemas {
    ($($name:ident: $schema:tt)*) => { $(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )* };
}

schemas! {
    Family: {
        "description": "A socket family by its canonical name.",
        "type": "string",
        "pattern": "^(AF_[A-Z0-9_]+|[0-9]+)$"
    }
    SocketAddress: {
        "description": "An address as systemd.socket(5) writes it.",
        "type": "string"
    }
    TimeSpan: {
        "description": "Microseconds, or the word infinity.",
        "anyOf": [{"type": "integer", "minimum": 0}, {"const": "infinity"}]
    }
    UnitName: {
        "description": "A unit's name, with its type.",
        "type": "string",
        "pattern": "^[A-Za-z0-9:_.\\\\@-]+\\.[a-z]+$"
    }
}

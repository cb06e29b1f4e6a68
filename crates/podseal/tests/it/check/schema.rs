//! SARIF against its schema.
//!
//! `sarif-schema-2.1.0.json` is OASIS', as published with the standard
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/>), unchanged. A general
//! validator is a hundred crates; this one knows the keywords that the schema
//! has, and fails at any other.

use serde_json::{Value, json};

const SCHEMA: &str = include_str!("sarif-schema-2.1.0.json");

/// Panics where `document` is not what the schema says.
pub(super) fn expect_sarif(document: &Value) {
    if let Err(error) = validate(document) {
        panic!("{error}");
    }
}

fn validate(document: &Value) -> Result<(), String> {
    let root: Value = serde_json::from_str(SCHEMA).unwrap();
    check(&root, &root, document, "")
}

fn check(root: &Value, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let items = || value.as_array().unwrap();
    for (keyword, wanted) in schema.as_object().unwrap() {
        let holds = match keyword.as_str() {
            "$schema" | "$id" | "title" | "description" | "default" | "definitions" | "format" => {
                true
            }
            "$ref" => {
                let pointer = wanted.as_str().unwrap().trim_start_matches('#');
                check(root, root.pointer(pointer).unwrap(), value, path)?;
                true
            }
            "type" => is_of_type(wanted.as_str().unwrap(), value),
            "enum" => wanted.as_array().unwrap().contains(value),
            "required" => {
                let mut names = wanted.as_array().unwrap().iter();
                names.all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "properties" | "additionalProperties" => {
                properties(root, schema, value, path)?;
                true
            }
            "items" => {
                for (at, item) in items().iter().enumerate() {
                    check(root, wanted, item, &format!("{path}/{at}"))?;
                }
                true
            }
            "minItems" => items().len() as u64 >= wanted.as_u64().unwrap(),
            "uniqueItems" => {
                let is_double = |(at, item): (usize, &Value)| items()[..at].contains(item);
                wanted == &Value::Bool(false) || !items().iter().enumerate().any(is_double)
            }
            "minimum" => value.as_i64() >= wanted.as_i64(),
            "anyOf" | "oneOf" => {
                let all = wanted.as_array().unwrap().iter();
                let passing = all.filter(|one| check(root, one, value, path).is_ok());
                let count = passing.count();
                count == 1 || (keyword == "anyOf" && count > 1)
            }
            _ => false,
        };
        if !holds {
            return Err(format!("{path}: not {keyword} {wanted}: {value}"));
        }
    }
    Ok(())
}

fn properties(root: &Value, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let known = schema.get("properties").unwrap_or(&Value::Null);
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        match known.get(name).or(schema.get("additionalProperties")) {
            Some(Value::Bool(false)) => return Err(format!("{path}: not known")),
            Some(schema @ Value::Object(_)) => check(root, schema, value, &path)?,
            _ => {}
        }
    }
    Ok(())
}

fn is_of_type(wanted: &str, value: &Value) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("type {other} is not known here"),
    }
}

#[test]
fn what_is_no_sarif_is_noticed() {
    for (document, what) in [
        (json!([]), "not required"),
        (json!({"version": "2.1.0"}), "not required"),
        (json!({"version": "2.0", "runs": []}), "/version: not enum"),
        (
            json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "result": []}]}),
            "/runs/0/result: not known",
        ),
        (
            json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": 1}}}]}),
            "/runs/0/tool/driver/name: not type",
        ),
    ] {
        let error = validate(&document).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
}

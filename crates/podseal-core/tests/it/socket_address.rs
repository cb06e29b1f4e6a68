use podseal_core::family::Family;
use podseal_core::socket_address::{SocketAddress, SocketAddressError};

use crate::table::{check_rows, json_text, same};

#[test]
fn socket_address_parse() {
    check_rows(
        include_str!("../conformance/socket-address-parse.tsv"),
        |row| {
            let [input, result, family, canonical] = row else {
                return Err("not four columns".to_owned());
            };
            match (json_text(input).parse::<SocketAddress>(), *result) {
                (Ok(address), "ok") => {
                    // Where a table row has two, the first is that of a kernel with IPv6.
                    let family = family.split('|').next().unwrap_or_default();
                    same(&Some(address.family()), &Family::from_name(family))?;
                    let canonical = json_text(canonical);
                    let canonical = canonical.split(" | ").next().unwrap_or_default();
                    same(address.to_string().as_str(), canonical)
                }
                (Err(error), "EINVAL" | "ERANGE") => same(
                    &matches!(error, SocketAddressError::PortOutOfRange { .. }),
                    &(*result == "ERANGE"),
                ),
                (found, _) => Err(format!("found {found:?}")),
            }
        },
    );
}

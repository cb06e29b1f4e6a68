//! What a seal is made of, as data: architectures, levels, filter rules.

pub mod architecture;
pub mod container;
pub mod families;
pub mod filter;
pub mod inherited;
pub mod level;
pub mod mechanism;
pub mod seal;

//! Any JSON as a manifest, and the index of what it subscribes to.
#![no_main]
use landfall_core::matcher::Index;
use landfall_core::resource::{Parsed, Resource};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = serde_json::from_slice(data) else {
        return;
    };
    if let Parsed::Known(resource, _) = Resource::from_value(&value)
        && let Resource::Warehouse(warehouse) = *resource
    {
        let target = "Warehouse n/w".parse().expect("it is a target");
        let index = Index::of([(&target, &warehouse.subscriptions[..])]);
        assert_eq!(index.subscriptions(), warehouse.subscriptions.len());
    }
});

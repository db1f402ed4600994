//! Texts as formulas.
#![no_main]

#[path = "../property.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|text: &str| property::holds(text));

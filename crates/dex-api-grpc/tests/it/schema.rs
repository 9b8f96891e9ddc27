//! The descriptor says exactly what `contract.txt` lists: methods in order, then messages with number, name and type of each field.

use std::fmt::Write as _;

use dex_api_grpc::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};

fn api() -> FileDescriptorProto {
    let mut set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    assert_eq!(set.file.len(), 1, "the schema imports nothing");
    set.file.pop().unwrap()
}

#[test]
fn methods_messages_and_numbers_are_those_of_the_contract() {
    let api = api();
    assert_eq!(rendered(&api), include_str!("contract.txt"));
    assert!(api.enum_type.is_empty() && api.extension.is_empty());
}

#[test]
fn api_3_the_file_is_found_under_the_name_that_reflection_clients_know() {
    let api = api();
    assert_eq!(
        (api.name(), api.package(), api.syntax()),
        ("api/v2/api.proto", "api", "proto3")
    );
    let options = api.options.unwrap();
    assert_eq!(
        (options.go_package(), options.java_package()),
        ("github.com/dexidp/dex/api/v2;api", "com.coreos.dex.api")
    );
}

#[test]
fn every_call_is_unary() {
    for method in api().service.into_iter().flat_map(|s| s.method) {
        assert!(
            !method.client_streaming() && !method.server_streaming(),
            "{}",
            method.name()
        );
    }
}

fn rendered(api: &FileDescriptorProto) -> String {
    let mut text = String::new();
    for service in &api.service {
        assert_eq!(service.name(), "Dex");
        for method in &service.method {
            let (input, output) = (local(method.input_type()), local(method.output_type()));
            writeln!(text, "{}({input}) {output}", method.name()).unwrap();
        }
    }
    text.push_str("---\n");
    let mut messages: Vec<_> = api.message_type.iter().collect();
    messages.sort_by_key(|m| m.name().to_owned());
    for message in messages {
        let mut fields: Vec<_> = message.field.iter().collect();
        fields.sort_by_key(|f| f.number());
        let fields: Vec<_> = fields.into_iter().map(field).collect();
        let line = format!("{}: {}", message.name(), fields.join(", "));
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

fn field(field: &FieldDescriptorProto) -> String {
    let kind = match field.r#type() {
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Bool => "bool",
        Type::Int32 => "int32",
        Type::Int64 => "int64",
        Type::Uint32 => "uint32",
        Type::Message => local(field.type_name()),
        other => unreachable!("the contract has no {other:?}"),
    };
    let label = match field.label() {
        Label::Repeated => "repeated ",
        _ if field.proto3_optional() => "optional ",
        _ => "",
    };
    format!("{} {} {label}{kind}", field.number(), field.name())
}

fn local(name: &str) -> &str {
    name.strip_prefix(".api.").unwrap()
}

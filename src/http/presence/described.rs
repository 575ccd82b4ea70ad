//! The description of what is served to everybody ([`crate::http::openapi`]).

use utoipa::openapi::{
    self, Content, Header, HttpMethod, ObjectBuilder, PathItem, Ref, Required, Response, SecurityRequirement, Type,
    path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
};

use super::{Format, PREFIXES, Show, formats, picture::Theme};

/// Every format behind every prefix.
pub(in crate::http) fn description() -> openapi::OpenApi {
    let mut description = openapi::OpenApi::default();
    for format in formats() {
        for (prefix, version) in PREFIXES {
            let item = PathItem::new(HttpMethod::Get, operation(&format, version));
            description.paths.paths.insert(format!("{prefix}{}", format.path), item);
        }
    }
    description
}

fn operation(format: &Format, version: &str) -> Operation {
    let end = if version.is_empty() { String::new() } else { format!("_{}", version.replace('-', "_")) };
    let mut operation = OperationBuilder::new()
        .tag("presence")
        .operation_id(Some(format!("presence{}{end}", format.name)))
        .summary(Some(format.says))
        .parameters(Some(parameters(format.path)))
        .security(SecurityRequirement::default())
        .response("200", shown(format))
        .response("304", tagged(Response::new("It is still what `If-None-Match` names.")));
    if format.path.contains("{theme}") {
        let mut missing = Response::new("There is no such theme, or no such show.");
        let content = Content::new(Some(Ref::from_schema_name("Failure")));
        missing.content.insert("application/json".to_owned(), content.into());
        operation = operation.response("404", missing);
    }
    operation.build()
}

fn shown(format: &Format) -> Response {
    let says = "What is there now. Who is not there, or not to be seen, is `unavailable`.";
    let mut schema = ObjectBuilder::new().schema_type(Type::String);
    if format.name == "Text" {
        schema = schema.enum_values(Some(Show::ALL.map(Show::as_str)));
    }
    let mut response = tagged(Response::new(says));
    response.content.insert(format.content_type.to_owned(), Content::new(Some(schema)).into());
    response
}

fn tagged(mut response: Response) -> Response {
    let mut tag = Header::new(ObjectBuilder::new().schema_type(Type::String));
    tag.description = Some("For `If-None-Match`.".to_owned());
    response.headers.insert("ETag".to_owned(), tag.into());
    response
}

fn parameters(path: &str) -> Vec<Parameter> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let themes = text().enum_values(Some(Theme::ALL.map(Theme::as_str)));
    let shows = text().enum_values(Some(Show::ALL.map(Show::as_str)));
    let in_path = [
        ("name", "The part of the address before the @.", text()),
        ("domain", "The part of the address after the @.", text()),
        ("theme", "How the picture looks.", themes),
        ("show", "Which picture.", shows),
    ];
    let in_path = in_path.into_iter().filter(|(name, ..)| path.contains(&format!("{{{name}}}")));
    let in_path = in_path.map(|(name, says, schema)| {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        parameter.description(Some(says)).schema(Some(schema)).build()
    });
    let function = ParameterBuilder::new()
        .name("cb")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some("The name of a function that is called; left out where it is no name."))
        .schema(Some(text()));
    let tag = ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The `ETag` of what the client has."))
        .schema(Some(text()));
    in_path.chain(path.ends_with("/js").then(|| function.build())).chain([tag.build()]).collect()
}

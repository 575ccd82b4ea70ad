//! The description of this API ([`crate::http::openapi`]): each operation once, for all versions.

mod fields;
mod table;

use utoipa::{
    OpenApi,
    openapi::{
        self, Array, Content, Header, HttpMethod, ObjectBuilder, OneOf, PathItem, Ref, RefOr, Required, Response,
        Schema, SecurityRequirement, Type,
        path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::Components,
    },
};

use super::{V1, VERSIONS, error::FailureBody, login::Login, objects};
use crate::http::json::Success;
use fields::{EnabledFields, LoginFields, QueueFields, QueueIdField, Takes, UserFields, UserIdField};
use table::{Described, Gives, RESOURCES};

/// The failures that there are, with what brings them about.
const FAILURES: [(u16, &str); 8] = [
    (400, "The body can not be read, or `X-API-Version` is none of the versions."),
    (401, "There is no login, or it is wrong."),
    (403, "The role does not let the caller do this, or a page of another site asks for it."),
    (404, "What the path names is not there, or not the account's."),
    (413, "The body is too large."),
    (415, "The body is nothing that is read here."),
    (429, "Too many logins have failed: `Retry-After` says when to come again."),
    (503, "It can not be stored at present, or took too long."),
];

#[derive(OpenApi)]
#[openapi(components(schemas(
    objects::Queue<'_>,
    objects::User<'_>,
    objects::Operator<'_>,
    objects::ShortQueue<'_>,
    objects::ShortUser<'_>,
    objects::ShortOperator<'_>,
    FailureBody<'_>,
    Success,
    Login<'_>,
    LoginFields,
    QueueFields,
    UserFields,
    UserIdField,
    QueueIdField,
    EnabledFields,
)))]
struct Shapes;

/// All operations of all versions.
pub(in crate::http) fn description() -> openapi::OpenApi {
    let mut description = Shapes::openapi();
    add_failures(description.components.get_or_insert_default());
    for (prefix, version) in VERSIONS {
        for (path, noun, operations) in RESOURCES {
            let mut item = PathItem::default();
            for described in operations {
                let one = operation(prefix, version, path, noun, described);
                item.merge_operations(PathItem::new(described.0.clone(), one));
            }
            description.paths.paths.insert(format!("{prefix}{path}"), item);
        }
    }
    description
}

fn operation(prefix: &str, version: &str, path: &str, noun: &str, described: &Described) -> Operation {
    let (method, says, takes, first, later) = described;
    let gives = if prefix == V1 { first } else { later };
    let name = format!("{}{noun}_{}", word(method), version.replace('-', "_"));
    let is_about_login = path.starts_with("/auth/");
    let mut operation = OperationBuilder::new()
        .tag("libraryh3lp")
        .operation_id(Some(name))
        .summary(Some(*says))
        .parameters(Some(parameters(path, *takes)))
        .request_body(takes.schema().map(|schema| body(schema).build()))
        .response("200", success(method, *takes, *gives));
    let shows = |status: u16| match status {
        401 | 429 => !path.ends_with("/logout"),
        403 => *method != HttpMethod::Get,
        // What is not assigned can be unassigned all the same: that is a failure with the status 200.
        404 => path.contains('{') && !(*method == HttpMethod::Delete && is_operator(path)),
        413 | 415 => *takes != Takes::Nothing,
        _ => true,
    };
    for (status, _) in FAILURES.into_iter().filter(|(status, _)| shows(*status)) {
        operation = operation.response(status.to_string(), Ref::from_response_name(failure_name(status)));
    }
    if is_about_login {
        operation = operation.security(SecurityRequirement::default());
    }
    operation.build()
}

fn word(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "get",
        HttpMethod::Post => "post",
        HttpMethod::Put => "put",
        HttpMethod::Patch => "patch",
        HttpMethod::Delete => "delete",
        HttpMethod::Options => "options",
        HttpMethod::Head => "head",
        HttpMethod::Trace => "trace",
    }
}

fn is_operator(path: &str) -> bool {
    path.matches('{').count() == 2
}

fn parameters(path: &str, takes: Takes) -> Vec<Parameter> {
    let named = ["queue", "user"].into_iter().filter(|name| path.contains(&format!("{{{name}}}")));
    let named = named.map(|name| {
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(u32::MAX));
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        parameter.description(Some(format!("The number of the {name}."))).schema(Some(number)).build()
    });
    let versions = VERSIONS.map(|(_, version)| version);
    let version = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(versions));
    let version = ParameterBuilder::new()
        .name("X-API-Version")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("One of the versions. Which of them is spoken, the path says."))
        .schema(Some(version));
    named.chain([version.build()]).chain(takes.parameters()).collect()
}

/// The fields, in whatever way they are written down.
fn body(schema: &str) -> RequestBodyBuilder {
    let kinds = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"];
    let content = || Content::new(Some(Ref::from_schema_name(schema)));
    kinds.into_iter().fold(RequestBodyBuilder::new(), |body, kind| body.content(kind, content()))
}

/// What comes with the status 200: what was asked for, and of what can be refused a failure, too.
fn success(method: &HttpMethod, takes: Takes, gives: Gives) -> Response {
    let shape: RefOr<Schema> = match gives {
        Gives::One(name) => Ref::from_schema_name(name).into(),
        Gives::List(name) => Array::new(Ref::from_schema_name(name)).into(),
    };
    let is_sure = *method == HttpMethod::Get || takes == Takes::Login;
    let (says, shape) = if is_sure {
        ("What was asked for", shape)
    } else {
        let mut either = OneOf::new();
        either.items = vec![shape, Ref::from_schema_name("Failure").into()];
        ("What came of it, or why it can not be", RefOr::T(either.into()))
    };
    let mut response = Response::new(says);
    response.content.insert("application/json".to_owned(), Content::new(Some(shape)).into());
    response
}

fn add_failures(components: &mut Components) {
    for (status, says) in FAILURES {
        let mut response = Response::new(says);
        let content = Content::new(Some(Ref::from_schema_name("Failure")));
        response.content.insert("application/json".to_owned(), content.into());
        if status == 429 {
            let mut wait = Header::new(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)));
            wait.description = Some("Seconds".to_owned());
            response.headers.insert("Retry-After".to_owned(), wait.into());
        }
        components.responses.insert(failure_name(status), response.into());
    }
}

fn failure_name(status: u16) -> String {
    format!("Failure{status}")
}

use axum::{body::Body, extract::Request};
use futures::FutureExt;

use super::*;

/// The fields of a request, or status and message of the failure.
fn read_as(content_type: &str, query: &str, body: &[u8]) -> Result<Fields, String> {
    let mut request = Request::post(format!("/?{query}"));
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    let (_, fields) =
        read(request.body(Body::from(body.to_vec())).unwrap()).now_or_never().expect("all of it is there");
    fields.map_err(|failure| {
        let (status, message, _) = failure.into_parts();
        format!("{} {message}", status.as_u16())
    })
}

fn json(body: &str) -> Fields {
    read_as("application/json", "", body.as_bytes()).unwrap()
}

fn form(body: &[u8]) -> Fields {
    read_as("application/x-www-form-urlencoded", "", body).unwrap()
}

const MULTIPART: &str = "multipart/form-data; boundary=b";

fn parts(parts: &[(&str, &str)]) -> Vec<u8> {
    let part =
        |(head, content): &(&str, &str)| format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n");
    let text = parts.iter().map(part).collect::<String>() + "--b--\r\n";
    text.into_bytes()
}

/// What stands in them, for comparison.
fn shown(fields: &Fields) -> String {
    let value = |field: &Field| match field {
        Field::Null => "null".to_owned(),
        Field::Bool(value) => value.to_string(),
        Field::Number(value) => value.to_string(),
        Field::Text(text) => format!("{text:?}"),
        Field::Typed(text) => text.clone(),
        Field::File => "(file)".to_owned(),
        Field::Unreadable => "(unreadable)".to_owned(),
        Field::Other => "(other)".to_owned(),
    };
    fields.0.iter().map(|(name, field)| format!("{name}={}", value(field))).collect::<Vec<_>>().join(", ")
}

#[test]
fn switches() {
    let check = |value: &str| json(&format!("{{\"enabled\": {value}}}")).switch("enabled");
    assert_eq!(check("true"), Some(true));
    assert_eq!(check("false"), Some(false));
    assert_eq!(check("null"), Some(false));
    for illegal in ["1", "0", "\"true\"", "\"\"", "\"maybe\"", "[]", "{}", "1.5", "-1"] {
        assert_eq!(check(illegal), None, "{illegal}");
    }
    assert_eq!(json("{}").switch("enabled"), None);
    let check = |value: &str| form(format!("enabled={value}").as_bytes()).switch("enabled");
    assert_eq!([check("true"), check("1")], [Some(true); 2]);
    assert_eq!([check(""), check("null"), check("false"), check("0")], [Some(false); 4]);
    for illegal in ["TRUE", "yes", "2", "01", "+", "true+", "%ff"] {
        assert_eq!(check(illegal), None, "{illegal}");
    }
    assert_eq!(form(b"enabled").switch("enabled"), Some(false), "a name alone has an empty value");
}

#[test]
fn ids() {
    let check = |value: &str| json(&format!("{{\"userId\": {value}}}")).id("userId");
    assert_eq!(check("7"), Some(7));
    assert_eq!(check("\"7\""), Some(7));
    assert_eq!(form(b"userId=7").id("userId"), Some(7));
    for bad in ["-7", "7.5", "4294967296", "\"+7\"", "\"7 \"", "\"\"", "true", "null", "[7]"] {
        assert_eq!(check(bad), None, "{bad}");
    }
}

#[test]
fn texts() {
    let fields = json(r#"{"name": "law", "email": null, "avatar": "", "type": 7}"#);
    assert_eq!(fields.text("name").unwrap(), Some("law"));
    assert_eq!(fields.text("avatar").unwrap(), None);
    assert_eq!(fields.text_or_empty("avatar").unwrap(), Some(""));
    assert_eq!(fields.removable_text("email", 9).unwrap(), Some(None));
    assert_eq!(fields.removable_text("avatar", 9).unwrap(), Some(None));
    assert_eq!(fields.removable_text("jid", 9).unwrap(), None);
    assert_eq!(fields.removable_text("name", 3).unwrap(), Some(Some("law".into())));
    assert!(fields.removable_text("name", 2).is_err());
    assert!(fields.text("type").is_err());
}

#[test]
fn forms_that_are_escaped_badly() {
    let check = |body: &[u8]| shown(&form(body));
    assert_eq!(check(b"name=law&email=a%40b"), "email=a@b, name=law");
    assert_eq!(check(b"name=law&"), "name=law");
    assert_eq!(check(b"&&name=law\r\n"), "name=law");
    assert_eq!(check("\u{feff}\r\nenabled=false".as_bytes()), "enabled=false", "the first field counts too");
    assert_eq!(check(b"name=two words"), "name=two words");
    assert_eq!(check(b"name=two+words&email=1%2B1"), "email=1+1, name=two words");
    assert_eq!(check(b"name=100%&email=%zz%4"), "email=%zz%4, name=100%");
    assert_eq!(check("name=bücher".as_bytes()), "name=bücher");
    assert_eq!(check(b"name=b%c3%bccher"), "name=bücher");
    assert_eq!(check(b"name=a=b"), "name=a=b");
    assert_eq!(check(b"name=b%fccher&email=b\xfccher"), "email=(unreadable), name=(unreadable)");
    assert!(form(b"name=%ff").text("name").is_err());
    assert_eq!(check(b"name=a&name=b"), "name=b");
    assert_eq!(check(b"%6eame=law"), "name=law");
}

#[test]
fn parts_of_a_multipart_body() {
    let check = |some: &[(&str, &str)]| match read_as(MULTIPART, "name=query", &parts(some)) {
        Ok(fields) => shown(&fields),
        Err(failure) => failure,
    };
    assert_eq!(check(&[("name=\"name\"", "law"), ("name=email", "a+b%40c")]), "email=a+b%40c, name=law");
    assert_eq!(check(&[("name=\"name\"", "a"), ("name=\"name\"", "b")]), "name=b");
    assert_eq!(check(&[("name=\"name\"", "bücher\r\n")]), "name=bücher\r\n");
    assert_eq!(check(&[]), "");
    assert_eq!(check(&[("name=\"avatar\"; filename=\"cat.png\"", "meow")]), "avatar=(file)");
    assert_eq!(check(&[("name=\"avatar\"; filename=\"\"", "")]), "");
    assert_eq!(check(&[("foo=\"bar\"", "law")]), "400 a part of the multipart body has no name");
    let many = vec![("name=\"name\"", "law"); 100];
    assert_eq!(check(&many), "name=law");
    let more = vec![("name=\"name\"", "law"); 101];
    assert_eq!(check(&more), "400 the multipart body has more than 100 parts");
    let file = read_as(MULTIPART, "", &parts(&[("name=\"name\"; filename=\"x\"", "law")])).unwrap();
    assert_eq!(file.text("name").unwrap_err().into_parts().1, "name must be a text, not a file");
    let other_lines = b"--b\nContent-Disposition: form-data; name=\"name\"\n\nlaw\n--b--\n";
    let failure = read_as(MULTIPART, "", other_lines).err().unwrap();
    assert_eq!(failure, "400 the lines of a multipart body must end in CR LF (RFC 2046 section 4.1.1)");
    let whole = parts(&[("name=\"password\"", "s3cr3t"), ("name=\"name\"", "law")]);
    for cut in 1..whole.len() - "--\r\n".len() {
        let failure = read_as(MULTIPART, "", &whole[..cut]).err();
        assert_eq!(failure.as_deref(), Some("400 the multipart body is malformed, or breaks off"), "{cut}");
    }
}

#[test]
fn texts_are_one_line() {
    let fields = read_as(
        "",
        "",
        br#"{"email": "a@b.org\r\nBcc: c@d.org", "bell": "a\u0007", "c1": "\u009b", "fine": "Zo\u00eb \ud83d\ude00"}"#,
    );
    let fields = fields.unwrap();
    for name in ["email", "bell", "c1"] {
        let said = fields.text_of(name, 99).unwrap_err().into_parts().1;
        assert_eq!(said, format!("{name} contains a control character, such as the end of a line"));
    }
    assert_eq!(fields.text_of("fine", 99).unwrap(), Some("Zoë 😀"));
}

#[test]
fn what_a_body_is() {
    let check = |content_type: &str, query: &str, body: &str| match read_as(content_type, query, body.as_bytes()) {
        Ok(fields) => shown(&fields),
        Err(failure) => failure,
    };
    let json = r#"{"name": "law"}"#;
    for content_type in [
        "application/json",
        "Application/JSON; charset=iso-8859-1",
        "text/json",
        "application/vnd.api+json",
        "application/x-www-form-urlencoded; charset=UTF-8",
        "text/plain",
        "text/html",
        "nonsense",
        "b\u{e4}d",
        "",
    ] {
        assert_eq!(check(content_type, "name=query", json), r#"name="law""#, "{content_type}");
        assert_eq!(check(content_type, "", &format!("\u{feff} \r\n{json}\n")), r#"name="law""#, "{content_type}");
        assert_eq!(check(content_type, "name=query", " \n"), "name=query", "{content_type}");
        assert_eq!(check(content_type, "", ""), "", "{content_type}");
    }
    assert_eq!(check(MULTIPART, "name=query", ""), "name=query");
    for content_type in ["application/x-www-form-urlencoded", "text/plain;charset=UTF-8", ""] {
        assert_eq!(check(content_type, "name=query", "name=law"), "name=law", "{content_type}");
    }
    assert_eq!(check("", "", "law"), "400 the body is neither a JSON object nor a form");
    assert_eq!(check("application/x-www-form-urlencoded", "", "law"), "law=");
    let unknown =
        "415 the Content-Type must be application/json, application/x-www-form-urlencoded or multipart/form-data";
    for content_type in ["image/png", "application/xml", "multipart/mixed; boundary=b", "nonsense", "b\u{e4}d"] {
        assert_eq!(check(content_type, "", "name=law"), unknown, "{content_type}");
    }
    let no_boundary = "400 the Content-Type multipart/form-data has no boundary";
    assert_eq!(check("multipart/form-data", "", "--b--"), no_boundary);
}

#[test]
fn a_body_that_breaks_off() {
    let pieces = [Ok("{"), Err(std::io::Error::other("gone"))];
    let body = Body::from_stream(futures::stream::iter(pieces));
    let (_, fields) =
        read(Request::post("/?name=query").body(body).unwrap()).now_or_never().expect("all of it is there");
    assert_eq!(fields.err().unwrap().into_parts().1, "the body broke off");
}

#[test]
fn json_that_is_none() {
    let check = |body: &[u8]| read_as("application/json", "", body).err().unwrap();
    assert_eq!(
        check(b"{\"name\": \"law\",\n  oops}"),
        "400 the body is not JSON: key must be a string at line 2 column 3"
    );
    assert_eq!(check(b"{\"name"), "400 the body is not JSON: EOF while parsing a string at line 1 column 6");
    assert_eq!(check(b"{} {}"), "400 the body is not JSON: trailing characters at line 1 column 4");
    assert_eq!(check(b"{\"a\":\"\xff\"}"), "400 the body is not JSON: invalid unicode code point at line 1 column 7");
    assert_eq!(check(b"{\"a\": 1e999}"), "400 the body is not JSON: number out of range at line 1 column 11");
    assert_eq!(
        check("[".repeat(60_000).as_bytes()),
        "400 the body is not JSON: recursion limit exceeded at line 1 column 128"
    );
    for other in ["[]", "7", "\"name=law\"", "null"] {
        assert_eq!(check(other.as_bytes()), "400 the body must be a JSON object", "{other}");
    }
}

#[test]
fn what_is_wrong_does_not_tell_what_was_written() {
    let whole = r#"{"username": "boss", "password": "s3cr3t-\u00e4\n", "more": [1, true, null, -2.5e3]}"#;
    let said = |body: String| {
        let failure = read_as("application/json", "", body.as_bytes()).err();
        assert!(failure.as_deref().is_none_or(|said| !said.contains("s3cr3t")), "{body}: {failure:?}");
    };
    for at in (0..whole.len()).filter(|at| whole.is_char_boundary(*at)) {
        said(whole[..at].to_owned());
        for wrong in ["\"", "\\", "x", "\u{1}", "{", "]", "9", ","] {
            said(format!("{}{wrong}{}", &whole[..at], &whole[at..]));
        }
    }
}

// Each folder below the current one is a push. Prints "PACKAGE PUSH accepted" or "PACKAGE PUSH refused: why".
use http::{HeaderMap, HeaderName};
use standardwebhooks::Webhook;
use std::{error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    for push in fs::read_dir(".")? {
        let (push, mut secret, mut body, mut headers) = (push?, String::new(), Vec::new(), HeaderMap::new());
        for part in fs::read_dir(push.path())? {
            let part = part?;
            let bytes = fs::read(part.path())?;
            match part.file_name().to_str() {
                Some("secret") => secret = String::from_utf8(bytes)?,
                Some("body") => body = bytes,
                name => {
                    headers.insert(HeaderName::try_from(name.unwrap())?, String::from_utf8(bytes)?.parse()?);
                }
            }
        }
        let name = push.file_name().into_string().unwrap();
        match Webhook::new(&secret)?.verify(&body, &headers) {
            Ok(()) => println!("standardwebhooks {name} accepted"),
            Err(error) => println!("standardwebhooks {name} refused: {error}"),
        }
    }
    Ok(())
}

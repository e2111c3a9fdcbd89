// Server variables of both kinds: for extensions one by one, for gateways as a set.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Testing

final class Facts: MetaVariableSource {
    var values: [MetaVariable: String] = [
        .remoteAddress: "192.0.2.7", .remotePort: "4711", .localAddress: "192.0.2.1",
        .localPort: "8080",
        .siteName: "main", .siteNumber: "2", .documentRoot: "/srv/www", .scriptName: "/app",
        .pathInfo: "/more", .pathTranslated: "/srv/www/more", .scriptFilename: "/lib/libapp.so",
    ]
    var settings = ["GREETING": "hello", "URL": "shadow"]

    func append(_ variable: MetaVariable, to bytes: inout [UInt8]) -> Bool {
        guard let value = values[variable] else { return false }
        bytes.append(contentsOf: value.utf8)
        return true
    }

    func appendSetting(_ name: Span<UInt8>, to bytes: inout [UInt8]) -> Bool {
        let name = String(decoding: name.indices.map { name[$0] }, as: UTF8.self)
        guard let value = settings[name] else { return false }
        bytes.append(contentsOf: value.utf8)
        return true
    }

    func forEachSetting(_ body: (String, String) -> Void) {
        for (name, value) in settings { body(name, value) }
    }
}

func request(_ text: String) throws -> Request {
    let request = Request()
    var parser = RequestParser()
    let bytes = Array(text.utf8)
    let consumed = try parser.parse(bytes.span, into: request)
    #expect(consumed == bytes.count)
    return request
}

@Suite struct VariablesTests {
    let metaVariables = Facts()
    static let text = """
        GET /app/m%6fre?a=%20b HTTP/1.1\r\nHost: Example.test:8080\r\nAccept: a\r\naccept: b\r
        Cookie: x=1\r\nCookie: y=2\r\nProxy: evil\r\nX_Forwarded_For: fake\r\nX-Forwarded-For: true\r
        X.Odd: 1\r\nAuthorization: Basic eA==\r\nContent-Type: text/plain\r\nConnection: x-forwarded-for\r
        \r\n
        """

    func value(_ name: String, of request: Request, length: Int64 = 0) -> (VariableResult, String) {
        var bytes = Array("before".utf8)
        let name = Array(name.utf8)
        let result = Variables.append(
            name.span, request: request, metaVariables: metaVariables, bodyLength: length,
            to: &bytes)
        #expect(bytes.starts(with: "before".utf8))
        return (result, String(decoding: bytes.dropFirst(6), as: UTF8.self))
    }

    func gateway(_ request: Request, length: Int64 = 0) -> [String: String] {
        var found: [String: String] = [:]
        Variables.forEachGatewayVariable(
            request: request, metaVariables: metaVariables, bodyLength: length
        ) {
            let name = $0.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
            let value = $1.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
            #expect(found.updateValue(value, forKey: name) == nil, "\(name) twice")
        }
        return found
    }

    @Test(
        arguments: [
            ("REQUEST_METHOD", "GET"), ("request_method", "GET"), ("HTTP_METHOD", "GET"),
            ("HTTP_URL", "/app/m%6fre?a=%20b"), ("REQUEST_URI", "/app/m%6fre?a=%20b"),
            ("UNENCODED_URL", "/app/m%6fre?a=%20b"), ("URL", "/app/more"),
            ("QUERY_STRING", "a=%20b"),
            ("HTTP_VERSION", "HTTP/1.1"), ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_NAME", "Example.test"), ("HTTP_HOST", "Example.test:8080"),
            ("SERVER_PORT", "8080"), ("SERVER_PORT_SECURE", "0"), ("HTTPS", "off"),
            ("SCRIPT_NAME", "/app"), ("PATH_INFO", "/more"), ("PATH_TRANSLATED", "/srv/www/more"),
            ("SCRIPT_FILENAME", "/lib/libapp.so"), ("REQUEST_FILENAME", "/lib/libapp.so"),
            ("DOCUMENT_ROOT", "/srv/www"), ("APPL_PHYSICAL_PATH", "/srv/www/"),
            ("APPL_MD_PATH", "/LM/W3SVC/2/ROOT"), ("INSTANCE_ID", "2"), ("INSTANCE_NAME", "main"),
            ("INSTANCE_META_PATH", "/LM/W3SVC/2"), ("REMOTE_ADDR", "192.0.2.7"),
            ("REMOTE_HOST", "192.0.2.7"), ("REMOTE_PORT", "4711"), ("LOCAL_ADDR", "192.0.2.1"),
            ("CACHE_URL", "http://Example.test:8080/app/m%6fre?a=%20b"), ("CONTENT_LENGTH", "77"),
            ("CONTENT_TYPE", "text/plain"), ("HTTP_CONTENT_TYPE", "text/plain"),
            ("AUTH_USER", ""), ("AUTH_PASSWORD", ""), ("CERT_SUBJECT", ""), ("APP_POOL_ID", ""),
            ("HTTP_ACCEPT", "a, b"), ("http_Accept", "a, b"), ("HEADER_accept", "a, b"),
            ("HTTP_COOKIE", "x=1; y=2"), ("HTTP_AUTHORIZATION", "Basic eA=="),
            ("HTTP_X_FORWARDED_FOR", "true"), ("HEADER_X_Forwarded_For", "fake"),
            ("HEADER_X-Forwarded-For", "true"), ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SERVER_SOFTWARE", "Mortise/0.1"), ("GREETING", "hello"),
        ])
    func variableHasItsValue(name: String, expected: String) throws {
        #expect(try value(name, of: request(Self.text), length: 77) == (.found, expected))
    }

    @Test(
        arguments: [
            ("HTTP_PROXY", VariableResult.unknown), ("HEADER_Proxy", .unknown),
            ("HTTP_X", .unknown),
            ("HTTP_X_ODD", .unknown), ("HTTP_", .unknown), ("", .unknown), ("NO_SUCH", .unknown),
            ("CRYPT_PROTOCOL", .unavailable), ("APP_POOL_CONFIG", .unavailable),
        ])
    func variableThatIsNotThereSaysWhy(name: String, expected: VariableResult) throws {
        #expect(try value(name, of: request(Self.text)) == (expected, ""))
    }

    @Test func allFieldsAreListedOnceWithoutProxy() throws {
        let request = try request(Self.text)
        #expect(
            value("ALL_HTTP", of: request).1 == """
                HTTP_HOST:Example.test:8080\nHTTP_ACCEPT:a, b\nHTTP_COOKIE:x=1; y=2
                HTTP_X_FORWARDED_FOR:true\nHTTP_AUTHORIZATION:Basic eA==\nHTTP_CONTENT_TYPE:text/plain
                HTTP_CONNECTION:x-forwarded-for\n
                """)
        let raw = value("ALL_RAW", of: request).1
        #expect(
            raw.hasPrefix("Host: Example.test:8080\r\nAccept: a\r\naccept: b\r\nCookie: x=1\r\n"))
        #expect(raw.contains("X_Forwarded_For: fake\r\n") && !raw.contains("evil"))
    }

    @Test func gatewayIsGivenTheWholeSetAndNothingAmbiguous() throws {
        #expect(
            try gateway(request(Self.text)) == [
                "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "Mortise/0.1",
                "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "Example.test", "SERVER_PORT": "8080",
                "SERVER_ADDR": "192.0.2.1", "REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "4711",
                "REQUEST_METHOD": "GET", "REQUEST_URI": "/app/m%6fre?a=%20b",
                "REQUEST_SCHEME": "http",
                "QUERY_STRING": "a=%20b", "SCRIPT_NAME": "/app",
                "SCRIPT_FILENAME": "/lib/libapp.so",
                "PATH_INFO": "/more", "PATH_TRANSLATED": "/srv/www/more",
                "DOCUMENT_ROOT": "/srv/www",
                "CONTENT_TYPE": "text/plain", "REDIRECT_STATUS": "200",
                "HTTP_HOST": "Example.test:8080", "HTTP_ACCEPT": "a, b", "HTTP_COOKIE": "x=1; y=2",
                "HTTP_X_FORWARDED_FOR": "true", "HTTP_CONNECTION": "x-forwarded-for",
            ])
    }

    @Test func lengthIsSaidExactlyWhenThereIsABody() throws {
        let chunked = "POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        let variables = gateway(try request(chunked), length: 5)
        #expect(variables["CONTENT_LENGTH"] == "5" && variables["HTTP_TRANSFER_ENCODING"] == nil)
        let empty = "POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
        #expect(gateway(try request(empty))["CONTENT_LENGTH"] == "0")
        #expect(gateway(try request(empty))["HTTP_CONTENT_LENGTH"] == nil)
        #expect(gateway(try request("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))["CONTENT_LENGTH"] == nil)
    }

    @Test func aLengthThatIsNotKnownYetIsUnavailable() throws {
        let chunked = try request(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        #expect(value("CONTENT_LENGTH", of: chunked, length: -1).0 == .unavailable)
        #expect(value("CONTENT_LENGTH", of: chunked, length: 5) == (.found, "5"))
    }

    @Test func authorityOfTheTargetOverridesHost() throws {
        let request = try request("GET http://one.test/p?q HTTP/1.1\r\nHost: two.test\r\n\r\n")
        let variables = gateway(request)
        #expect(variables["HTTP_HOST"] == "one.test" && variables["SERVER_NAME"] == "one.test")
        #expect(variables["REQUEST_URI"] == "/p?q")
        #expect(value("HTTP_HOST", of: request).1 == "one.test")
    }

    @Test func withoutAHostTheServersAddressIsItsName() throws {
        let request = try request("GET / HTTP/1.0\r\n\r\n")
        #expect(value("SERVER_NAME", of: request).1 == "192.0.2.1")
        metaVariables.values[.localAddress] = "2001:db8::1"
        #expect(value("SERVER_NAME", of: request).1 == "[2001:db8::1]")
        metaVariables.values[.secure] = ""
        #expect(value("HTTPS", of: request).1 == "on" && gateway(request)["HTTPS"] == "on")
    }
}

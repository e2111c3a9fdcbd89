// What is served without a configuration file.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Configuration

struct StarterTextTests {
    @Test func anExtensionAloneAnswersEveryPath() throws {
        let settings = try read(StarterText.forExtension(libraryPath: "/a b/lib\"x\\y\".so"))
        #expect(settings.extensions[0].library == "/a b/lib\"x\\y\".so")
        #expect(settings.extensions[0].threadSafe == nil)
        #expect(settings.sites[0].handlers[0].pattern == .prefix("/"))
        #expect(settings.listeners == [.tcp(host: "127.0.0.1", port: 8080)])
    }

    @Test(arguments: [
        ("/p/libhello.so", "hello"), ("/p/hello.so.1.2", "hello"), ("/lib.so", "lib"),
        ("/p/ä.so", "--"), ("/p/.so", "extension"),
    ])
    func anExtensionIsNamedAfterItsFile(path: String, name: String) {
        #expect(StarterText.name(ofLibrary: path) == name)
    }

    @Test(arguments: [false, true])
    func aFolderIsServedAndNeverAsTheSourceOfItsScripts(cgi: Bool) throws {
        let settings = try read(StarterText.forFolder("/w/\u{7F}\n w", cgi: cgi))
        let site = settings.sites[0]
        #expect(site.root == "/w/\u{7F}\n w")
        #expect(
            site.handlers.map(\.pattern) == [.suffix(".php")] + (cgi ? [.prefix("/cgi-bin")] : []))
        #expect(
            settings.pools[0].program == .command(["php-cgi"]) && settings.pools[0].minimum == 0)
    }
}

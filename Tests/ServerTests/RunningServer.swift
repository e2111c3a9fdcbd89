// A server on a loopback port of its own, with one extension and a redirect behind it.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import ExtensionHost
import Handlers
import Platform
import TestExtensions

@testable import Server

/// What the server under test answers with.
///
///     /x?now=TEXT     TEXT, at once
///     /x?later=TEXT   TEXT, from another thread after HttpExtensionProc has returned
///     /x?before=TEXT  TEXT, from another thread before it returns HSE_STATUS_PENDING
///     /x?never        nothing, ever
///     /x?body         the request's body
///     /x?big=N        N bytes, in one write
///     /x?slow=N       N bytes, in writes of a kibibyte
///     /x?think        "first", and "second" after somebody has asked for /x?release
///     /x?spin         nothing for two or three seconds, computing
///     /x?hold         "first" and HSE_STATUS_PENDING, and "second" after /x?release
///     /x?own=N        N bytes in one write of a thread of the extension's own
///     /x?block        nothing for a second, holding its thread, then "blocked"
///     /x?count        how long the request's body is, read to its end
///     /x?lengthy      the same, read by another thread after HttpExtensionProc has returned
///     /preload        all of /x, called before the whole body is there
///     /moved          a redirect
enum Answering {
    static let library: LoadedExtension = {
        do {
            let compiled = try CompiledExtension(source)
            return try withExtendedLifetime(compiled) {
                try LoadedExtension.load(path: compiled.path, name: "test")
            }
        } catch {
            fatalError("\(error)")
        }
    }()

    private static let source = """
        #include <stdatomic.h>
        static atomic_int released;
        static void answer(EXTENSION_CONTROL_BLOCK *ecb) {
            head(ecb, "200 OK", "Content-Type: text/plain\\r\\n\\r\\n");
            const char *text = strchr(ecb->lpszQueryString, '=');
            say(ecb, text ? text + 1 : "nothing");
        }
        static void done(EXTENSION_CONTROL_BLOCK *ecb) {
            DWORD status = HSE_STATUS_SUCCESS;
            ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_DONE_WITH_SESSION, &status, NULL, NULL);
        }
        static void *hold(void *block) {
            EXTENSION_CONTROL_BLOCK *ecb = block;
            for (int turn = 0; turn < 10000 && !released; turn++) usleep(2000);
            say(ecb, "second");
            done(ecb);
            return NULL;
        }
        static void fill(EXTENSION_CONTROL_BLOCK *ecb, DWORD size) {
            char *bytes = malloc(size);
            for (DWORD at = 0; at < size; at++) bytes[at] = (char)('a' + at / 7 % 26);
            head(ecb, "200 OK", "Content-Type: text/plain\\r\\n\\r\\n");
            ecb->WriteClient(ecb->ConnID, bytes, &size, HSE_IO_SYNC);
            free(bytes);
        }
        static void *own(void *block) {
            EXTENSION_CONTROL_BLOCK *ecb = block;
            fill(ecb, atoi(ecb->lpszQueryString + 4));
            done(ecb);
            return NULL;
        }
        static void count(EXTENSION_CONTROL_BLOCK *ecb) {
            static __thread char bytes[3000];
            char text[32] = "never";
            DWORD all = ecb->cbAvailable, size = sizeof bytes;
            while (ecb->ReadClient(ecb->ConnID, bytes, &size)) {
                if (size == 0) {
                    snprintf(text, sizeof text, "%u", all);
                    break;
                }
                all += size;
                size = sizeof bytes;
            }
            head(ecb, "200 OK", "Content-Type: text/plain\\r\\n\\r\\n");
            say(ecb, text);
        }
        static void *lengthy(void *ecb) { count(ecb); done(ecb); return NULL; }
        static void *soon(void *ecb) { answer(ecb); done(ecb); return NULL; }
        static void *later(void *ecb) { usleep(2000); return soon(ecb); }
        DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
            const char *query = ecb->lpszQueryString;
            pthread_t thread;
            if (!strncmp(query, "later", 5)) {
                if (pthread_create(&thread, NULL, later, ecb)) return HSE_STATUS_ERROR;
                pthread_detach(thread);
                return HSE_STATUS_PENDING;
            }
            if (!strncmp(query, "before", 6)) {
                if (pthread_create(&thread, NULL, soon, ecb)) return HSE_STATUS_ERROR;
                pthread_join(thread, NULL);
                return HSE_STATUS_PENDING;
            }
            if (!strncmp(query, "never", 5)) return HSE_STATUS_PENDING;
            if (!strncmp(query, "big=", 4)) {
                fill(ecb, atoi(query + 4));
                return HSE_STATUS_SUCCESS;
            }
            if (!strncmp(query, "own=", 4)) {
                if (pthread_create(&thread, NULL, own, ecb)) return HSE_STATUS_ERROR;
                pthread_detach(thread);
                return HSE_STATUS_PENDING;
            }
            if (!strncmp(query, "count", 5)) {
                count(ecb);
                return HSE_STATUS_SUCCESS;
            }
            if (!strncmp(query, "lengthy", 7)) {
                if (pthread_create(&thread, NULL, lengthy, ecb)) return HSE_STATUS_ERROR;
                pthread_detach(thread);
                return HSE_STATUS_PENDING;
            }
            if (!strncmp(query, "hold", 4)) {
                head(ecb, "200 OK", "Content-Type: text/plain\\r\\n\\r\\n");
                say(ecb, "first");
                if (pthread_create(&thread, NULL, hold, ecb)) return HSE_STATUS_ERROR;
                pthread_detach(thread);
                return HSE_STATUS_PENDING;
            }
            if (!strncmp(query, "slow=", 5)) {
                int left = atoi(query + 5);
                char bytes[1024];
                memset(bytes, 'x', sizeof bytes);
                head(ecb, "200 OK", "Content-Type: text/plain\\r\\n\\r\\n");
                while (left > 0) {
                    DWORD size = left < 1024 ? left : 1024;
                    if (!ecb->WriteClient(ecb->ConnID, bytes, &size, HSE_IO_SYNC)) break;
                    left -= size;
                }
                return HSE_STATUS_SUCCESS;
            }
            if (!strncmp(query, "release", 7)) released = 1;
            if (!strncmp(query, "think", 5)) {
                head(ecb, "200 OK", "Content-Type: text/plain\\r\\n\\r\\n");
                say(ecb, "first");
                for (int turn = 0; turn < 10000 && !released; turn++) usleep(2000);
                say(ecb, "second");
                return HSE_STATUS_SUCCESS;
            }
            if (!strncmp(query, "spin", 4)) {
                struct timespec start, now;
                clock_gettime(CLOCK_MONOTONIC, &start);
                do clock_gettime(CLOCK_MONOTONIC, &now); while (now.tv_sec < start.tv_sec + 3);
                answer(ecb);
                return HSE_STATUS_SUCCESS;
            }
            if (!strncmp(query, "block", 5)) {
                usleep(1000000);
                head(ecb, "200 OK", "Content-Type: text/plain\\r\\n\\r\\n");
                say(ecb, "blocked");
                return HSE_STATUS_SUCCESS;
            }
            if (!strncmp(query, "body", 4)) {
                DWORD size = ecb->cbAvailable;
                head(ecb, "200 OK", "Content-Type: text/plain\\r\\n\\r\\n");
                ecb->WriteClient(ecb->ConnID, ecb->lpbData, &size, HSE_IO_SYNC);
                return HSE_STATUS_SUCCESS;
            }
            answer(ecb);
            return HSE_STATUS_SUCCESS;
        }
        """
}

/// Serves until the process ends: a host's threads are never stopped.
struct RunningServer {
    let server: Host
    let address: SocketAddress

    /// Without a listener it only adopts what another server hands over; or it has the same as another one.
    init(
        listens: Bool = true, besides older: RunningServer? = nil,
        _ change: (inout Settings) -> Void = { _ in }
    ) throws {
        // As the host process does: sendfile(2) has no MSG_NOSIGNAL.
        Signal.ignore(.pipe)
        var settings = Settings()
        settings.threads.min = 2
        settings.threads.max = 8
        settings.limits.connections = 64
        change(&settings)
        let log = ErrorLog()
        log.open(path: "/dev/null")
        let served = ServedSite(name: "main", number: 1, documentRoot: [], rootDescriptor: -1)
        let named = Settings.Site(name: "main")
        let mappings = [
            RoutedMapping(
                .prefix("/x"),
                ExtensionHandler(
                    library: Answering.library, settings: [], concurrency: 1 << 20),
                kind: .program, served: ServedMapping(name: "extension test")),
            RoutedMapping(
                .prefix("/preload"),
                ExtensionHandler(
                    library: Answering.library, settings: [], concurrency: 1 << 20),
                kind: .program, served: ServedMapping(name: "extension test"),
                preloadsBody: true),
            RoutedMapping(
                .prefix("/moved"), RedirectHandler(status: 302, location: "/there"),
                kind: .program, served: ServedMapping(name: "redirect")),
        ]
        let files = RoutedMapping(
            .prefix("/"), FilesHandler(rules: FileRules(named)), kind: .files,
            served: ServedMapping(name: "files"))
        let rules: [any Rule] = [MethodRule(), BodyLimitRule(limit: settings.limits.body)]
        let site = RoutedSite(
            served: served, rules: RuleChain(rules), mappings: mappings, files: files)
        var listeners: [Int32] = []
        if let older {
            listeners = older.server.listeners.map(\.socket)
        } else if listens {
            listeners = [try Socket.listen(.ipv4(0x7f00_0001, port: 0)).take()]
        }
        server = try Host(
            settings: settings, listeners: listeners, router: Router(sites: [site], hosts: [[]]),
            errorLog: log, accessLog: nil)
        address = listeners.first.map { Socket.localAddress($0) } ?? .unix("")
        try server.start()
        try server.listen()
    }

    /// Connections that wait for another request.
    var idleConnections: Int {
        var count = 0
        for shard in server.shards { shard.connections.visit { if $0.isIdle { count += 1 } } }
        return count
    }

    func connect() throws -> Browser { Browser(try Socket.connect(address).take()) }
}

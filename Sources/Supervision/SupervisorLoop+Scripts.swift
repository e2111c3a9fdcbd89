// CGI scripts: one process group per request, gone with the request.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

extension SupervisorLoop {
    /// Seconds an ended script waits for the end of its request before its group is killed anyway.
    static let scriptGrace = 10.0
    /// Scripts of one host; the configuration's own limits are far below.
    static let mostScripts = 4096

    func startScript(_ id: UInt64, _ script: Script, _ host: HostProcess, _ descriptors: [Int32]) {
        guard host.scripts[id] == nil, host.scripts.count < Self.mostScripts, phase != .ending
        else {
            return tell(host, .scriptFailed(id: id, code: SystemError.tryAgain))
        }
        var start = ProcessStart(program: script.program, arguments: script.arguments)
        start.environment = script.environment
        start.folder = script.folder
        start.descriptors = descriptors
        do throws(SystemError) {
            let running = ScriptProcess(try ChildProcess(start))
            host.scripts[id] = running
            known.insert(running.process.pid)
            watch(running.process.handle.number, .scriptEnd(host: host.id, id))
            tell(host, .scriptStarted(id: id, pid: running.process.pid))
        } catch {
            tell(host, .scriptFailed(id: id, code: error.code))
        }
    }

    func scriptEnded(host hostID: UInt64, _ id: UInt64) {
        let host = hosts[hostID]
        guard let script = host?.scripts[id] ?? abandoned[id], let end = script.process.end() else {
            return
        }
        unwatch(script.process.handle.number)
        if script.isDismissed {
            forget(script)
            host?.scripts[id] = nil
            abandoned[id] = nil
        } else if let host {
            script.dismissAt = Instant.now.adding(seconds: Self.scriptGrace)
            tell(host, .scriptEnded(id: id, ProcessEnd(end)))
        }
    }

    /// The request is over: nothing of the script's group may live on.
    func endScript(_ id: UInt64, _ host: HostProcess) {
        guard let script = host.scripts[id] else { return }
        dismiss(script)
        if script.process.end() != nil {
            unwatch(script.process.handle.number)
            forget(script)
            host.scripts[id] = nil
        }
    }

    /// The host is gone, and with it the requests.
    func abandonScripts(of host: HostProcess) {
        for script in host.scripts.values {
            dismiss(script)
            if script.process.end() != nil {
                unwatch(script.process.handle.number)
                forget(script)
            } else {
                // Its end is told under a number that no other host's script has.
                let number = newNumber()
                unwatch(script.process.handle.number)
                abandoned[number] = script
                watch(script.process.handle.number, .scriptEnd(host: 0, number))
            }
        }
        host.scripts = [:]
    }

    private func dismiss(_ script: ScriptProcess) {
        script.isDismissed = true
        script.dismissAt = nil
        script.process.signalGroup(.kill)
    }

    private func forget(_ script: ScriptProcess) {
        // Once more: it may have had children between the first time and its end.
        script.process.signalGroup(.kill)
        _ = script.process.reap()
        known.remove(script.process.pid)
        wantOrphanSweep()
    }
}

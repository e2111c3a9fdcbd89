// CGI scripts: one process group per request, gone with the request.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

extension SupervisorLoop {
    /// Seconds that what an ended script has left behind may go on writing.
    static let scriptGrace = 1.0
    /// Scripts of one host; the configuration's own limits are far below.
    static let mostScripts = 4096

    // MARK: Starting

    /// Takes the script's output out of the descriptors; the others stay the caller's.
    func startScript(
        _ id: UInt64, _ script: Script, _ host: HostProcess, _ descriptors: inout [Int32]
    ) {
        guard host.scripts[id] == nil, host.scripts.count < Self.mostScripts, phase != .ending,
            host.scriptConfinements.indices.contains(script.confinement)
        else {
            return tell(host, .scriptFailed(id: id, code: SystemError.tryAgain))
        }
        let start = Children.Start(
            block: script.block, argumentCount: script.argumentCount,
            variableCount: script.variableCount, descriptors: descriptors,
            confinement: host.scriptConfinements[script.confinement])
        let output = Descriptor(owning: descriptors[1])
        descriptors[1] = -1
        do throws(SystemError) {
            let pid = try Children.start(start)
            let running = ScriptProcess(id: id, pid: pid, host: host, output: output)
            // The number is free again, so nothing is left of the group that had it.
            for old in ended.values where old.pid == pid { forget(old) }
            host.scripts[id] = running
            scripts[pid] = running
            known.insert(pid)
        } catch {
            let failed = ScriptProcess(id: id, pid: 0, host: host, output: output)
            host.scripts[id] = failed
            keep(failed)
            tell(host, .scriptFailed(id: id, code: error.code))
        }
    }

    // MARK: Ending

    /// Some children have ended; how many, SIGCHLD does not say (man 7 signal).
    func reapScripts() {
        while let pid = Children.ended() {
            if let script = scripts[pid] {
                guard let end = Children.reap(pid) else { return }
                scriptEnded(script, ProcessEnd(end))
            } else if known.contains(pid) {
                // Its handle tells of it; whoever stands behind it is found one by one.
                for script in Array(scripts.values) {
                    if let end = Children.reap(script.pid) { scriptEnded(script, ProcessEnd(end)) }
                }
                return
            } else if !Orphans.reap(pid) {
                return
            }
        }
    }

    private func scriptEnded(_ script: ScriptProcess, _ end: ProcessEnd) {
        scripts[script.pid] = nil
        guard !script.isDismissed, let host = script.host else { return killRest(of: script) }
        if end != .exited(code: 0) {
            keep(script)
            tell(host, .scriptEnded(id: script.id, end))
        } else {
            linger(script)
        }
    }

    /// The host knows how it ended, or need not be told.
    private func linger(_ script: ScriptProcess) {
        script.output = nil
        if script.pid > 0, Children.groupIsLeft(script.pid) { keep(script) } else { forget(script) }
    }

    private func keep(_ script: ScriptProcess) {
        guard script.forgetAt == .never else { return }
        script.forgetAt = Instant.now.adding(seconds: Self.scriptGrace)
        ended[ObjectIdentifier(script)] = script
        times[.script(ObjectIdentifier(script))] = script.forgetAt
    }

    /// The request is over, or the host answers that it knows of the script's end.
    func endScript(_ id: UInt64, _ host: HostProcess) {
        guard let script = host.scripts[id] else { return }
        if script.pid > 0, scripts[script.pid] === script {
            dismiss(script)
        } else {
            linger(script)
        }
    }

    /// The host is gone, and with it the requests.
    func abandonScripts(of host: HostProcess) {
        for script in Array(host.scripts.values) {
            if script.forgetAt == .never { dismiss(script) } else { killRest(of: script) }
            script.host = nil
        }
        host.scripts = [:]
    }

    /// Its time to linger is over.
    func forgetScript(_ id: ObjectIdentifier) {
        if let script = ended[id] { killRest(of: script) }
    }

    /// Kills the group of a script that has not been reaped.
    private func dismiss(_ script: ScriptProcess) {
        guard !script.isDismissed else { return }
        script.isDismissed = true
        Children.killGroup(script.pid)
    }

    /// Once more after the first time: it may have had children between that and its end.
    private func killRest(of script: ScriptProcess) {
        if script.pid > 0, Children.groupIsLeft(script.pid) { Children.killGroup(script.pid) }
        forget(script)
    }

    private func forget(_ script: ScriptProcess) {
        script.output = nil
        if ended.removeValue(forKey: ObjectIdentifier(script)) != nil {
            times[.script(ObjectIdentifier(script))] = .never
        }
        script.host?.scripts[script.id] = nil
        script.host = nil
        if script.pid > 0, scripts[script.pid] == nil { known.remove(script.pid) }
        wantOrphanSweep()
    }
}

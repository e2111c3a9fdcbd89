import Server
try StubHost.run()

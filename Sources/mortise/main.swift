import Server
_ = Host.run(controlDescriptor: 3, builtInExtensionFolder: "/")

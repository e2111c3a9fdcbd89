#include "CExtensionHost.h"

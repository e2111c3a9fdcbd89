#include "httpext.h"

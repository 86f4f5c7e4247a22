#include "CStub.h"

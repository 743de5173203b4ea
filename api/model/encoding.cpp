// api/model/encoding.cpp
